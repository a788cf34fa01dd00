use super::*;

#[test]
fn known_logarithms_are_met_to_the_last_bit_but_one() {
    let known = [
        (0, 0.0),
        (1, 0.0),
        (2, std::f64::consts::LN_2),
        (3, 1.098_612_288_668_109_7),
        (7, 1.945_910_149_055_313_2),
        (10, std::f64::consts::LN_10),
        (1002, 6.909_753_281_644_81),
    ];
    for (x, expected) in known {
        let error = (ln(x) - expected).abs();
        assert!(error <= expected * f64::EPSILON, "ln {x} = {} instead of {expected}", ln(x));
    }
}

#[test]
fn logarithms_of_products_add_up() {
    for x in 2..2000_u64 {
        let difference = (ln(x * 2) - ln(x) - ln(2)).abs() + (ln(x * x) - 2.0 * ln(x)).abs();
        assert!(difference < 1e-14, "{x}: {difference}");
    }
}
