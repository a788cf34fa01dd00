//! Long lists, a page at a time. The token is the place of the next record; clients must not look into it.

use super::failure::Failure;

/// A page and the token of the next one. `limits` are the API's own: fewest, most; the most is also the default.
///
/// # Errors
///
/// A size or token that the API would not take, under the name `refusal`.
pub(super) fn page<T>(
    all: Vec<T>,
    size: Option<&str>,
    token: Option<&str>,
    (least, most): (usize, usize),
    refusal: &str,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let size = match size.map(str::parse::<usize>) {
        None => most,
        Some(Ok(size)) if (least..=most).contains(&size) => size,
        Some(_) => {
            let message = format!("the size of a page must lie between {least} and {most}");
            return Err(Failure::new(400, refusal, message));
        }
    };
    let from = match token.map(str::parse::<usize>) {
        None => 0,
        Some(Ok(from)) if from <= all.len() => from,
        Some(_) => return Err(Failure::new(400, refusal, "the token of the next page is not valid")),
    };
    let next = from.saturating_add(size);
    let token = (next < all.len()).then(|| next.to_string());
    Ok((all.into_iter().skip(from).take(size).collect(), token))
}
