//! The natural logarithm of small whole numbers, from additions, multiplications and divisions alone: the platform's
//! mathematics library differs between machines in the last bit, which these do not.

#[cfg(test)]
mod tests;

/// The natural logarithm of `x`; the error is at most about one unit in the last place. Of 0 it is that of 1.
pub(super) fn ln(x: u64) -> f64 {
    let mut mantissa = x.max(1) as f64;
    let mut exponent = 0.0;
    // Dividing by two is exact; between 1/√2 and √2 the series below is shortest.
    while mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1.0;
    }
    // ln m = 2 artanh z with z = (m-1)/(m+1), |z| ≤ 0.172: the term after the 11th is below 1e-18.
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let series = (0..11).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent * std::f64::consts::LN_2 + 2.0 * z * series
}
