use super::*;

#[test]
fn a_target_is_taken_apart_and_decoded_once() {
    let request = Request::new(
        Method::Get,
        "/tags/arn%3Aaws%2Fx//y%zz?labelSelector=a%3Db+c&watch&empty=&limit=0",
        Vec::new(),
    );
    assert_eq!(request.segments(), ["tags", "arn:aws/x", "y%zz"]);
    assert_eq!(request.parameter("labelSelector"), Some("a=b c"));
    assert_eq!(request.parameter("empty"), None);
    assert!(request.flag("watch") && request.flag("empty") && !request.flag("limit") && !request.flag("x"));
}

#[test]
fn what_is_no_text_is_replaced() {
    assert_eq!(percent_decode("%ff%C3%A9%2"), "\u{FFFD}é%2");
}
