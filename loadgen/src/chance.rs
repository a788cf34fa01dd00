//! Chance, as an argument: one [`Seed`], split into named streams, the same on every machine.
//!
//! No platform mathematics library is used: [`log_uniform`] computes its powers of two from additions and
//! multiplications alone, which IEEE 754 fixes to the bit.

/// The seed of a run. Everything that happens by chance follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed(pub u64);

impl Seed {
    /// A stream of draws that nothing else consumes: a new draw elsewhere moves nothing here.
    pub fn stream(self, name: &str) -> Stream {
        let mut state = mix(self.0 ^ 0x6e6f_6465_6665_7279);
        for byte in name.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Stream { state }
    }

    /// A draw that depends on its words alone, never on the order of draws.
    pub fn hash(self, words: &[u64]) -> u64 {
        words.iter().fold(mix(self.0 ^ 0x7365_7373_696f_6e73), |state, &word| mix(state ^ mix(word)))
    }
}

/// A named sequence of draws.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The next 64 bits, uniform.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Uniform in `0..bound`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        below(self.next_u64(), bound)
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `numerator` of `denominator` cases.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }
}

/// Maps 64 uniform bits to `0..bound` (multiply and shift; the bias is below 2^-32 for the bounds used here).
#[inline]
pub fn below(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// Maps 64 uniform bits to `low..=high` so that every doubling is equally likely. Zero counts as one.
pub fn log_uniform(bits: u64, low: u64, high: u64) -> u64 {
    LogUniform::new(low, high).draw(bits)
}

/// The map of [`log_uniform`] with its logarithms taken once, for limits that are drawn from many times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogUniform {
    low: u64,
    high: u64,
    from: f64,
    width: f64,
}

impl LogUniform {
    /// Values in `low..=high`. Zero counts as one; a high limit below the low one counts as the low one.
    pub fn new(low: u64, high: u64) -> LogUniform {
        let low = low.max(1);
        let high = high.max(low);
        let from = log2(low as f64);
        LogUniform { low, high, from, width: log2(high as f64) - from }
    }

    /// The value that belongs to 64 uniform bits.
    #[inline]
    pub fn draw(&self, bits: u64) -> u64 {
        if self.high == self.low {
            return self.low;
        }
        let x = self.from + self.width * unit(bits);
        let near = exp2_near(x);
        let (nearest, above) = rounded(near);
        // A whole number lies within the error about once in ten thousand draws: then the slow power decides.
        let value = if above.abs() > near * NEAR && near < EXACT_BELOW {
            nearest - u64::from(above < 0.0)
        } else {
            exp2(x) as u64
        };
        value.clamp(self.low, self.high)
    }
}

/// 53 of 64 bits as a number in `0.0..1.0`.
fn unit(bits: u64) -> f64 {
    (bits >> 11).cast_signed() as f64 * (1.0 / (1u64 << 53) as f64)
}

/// The finalizer of SplitMix64.
#[inline]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Base-two logarithm of a positive, finite number; error below 1e-9.
fn log2(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    // ln(m) = 2 artanh((m-1)/(m+1)), m in [1, 2): the argument is at most 1/3, so 12 terms leave less than 1e-12.
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let (square, mut term, mut sum) = (z * z, z, 0.0);
    for k in 0..12 {
        sum += term / f64::from(2 * k + 1);
        term *= square;
    }
    exponent as f64 + 2.0 * sum * std::f64::consts::LOG2_E
}

/// Two to the power of `x`, for `x` in `0.0..64.0`; error below 1e-9.
fn exp2(x: f64) -> f64 {
    let whole = x as u64;
    series((x - whole as f64) * std::f64::consts::LN_2) * (1u64 << whole.min(63)) as f64
}

/// e to the power of `x`, for `x` in `0.0..1.0`.
const fn series(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1);
    while k < 14 {
        term *= x / k as f64;
        sum += term;
        k += 1;
    }
    sum
}

/// What [`exp2_near`] may be off by, as a part of the value: ten times what its polynomial and [`exp2`]'s leave out.
const NEAR: f64 = 1e-11;
/// Adding it to a smaller number rounds that to a whole one, which then stands in the lowest bits: cheaper than the
/// processor's conversions with their checks.
const ROUNDS: f64 = (1u64 << 52) as f64;
/// What [`rounded`] can take.
const EXACT_BELOW: f64 = (1u64 << 50) as f64;

/// The whole number nearest to a positive one, and how far above it that is.
fn rounded(x: f64) -> (u64, f64) {
    let shifted = x + ROUNDS;
    (shifted.to_bits() & ((1 << 52) - 1), x - (shifted - ROUNDS))
}

/// Parts of a doubling in a table, so many that a cubic is enough for the rest.
static PARTS: [f64; 256] = parts();

const fn parts() -> [f64; 256] {
    let mut table = [1.0; 256];
    let mut at = 1;
    while at < 256 {
        table[at] = series(at as f64 / 256.0 * std::f64::consts::LN_2);
        at += 1;
    }
    table
}

/// Two to the power of `x`, for `x` in `0.0..64.0`; error below 1e-12 of the value, at a quarter of the price.
fn exp2_near(x: f64) -> f64 {
    let (steps, above) = rounded(x * 256.0);
    let t = above * (std::f64::consts::LN_2 / 256.0);
    // t is at most 0.00136: the first term left out is t^4/24, below 2e-13.
    let rest = (1.0 + t) + t * t * (0.5 + t * (1.0 / 6.0));
    let part = PARTS[(steps % 256) as usize] * f64::from_bits((steps / 256 + 1023) << 52);
    part * rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_not_ordered() {
        let seed = Seed(7);
        let mut first = seed.stream("faults");
        let expected: Vec<u64> = (0..4).map(|_| first.next_u64()).collect();
        let _elsewhere = seed.stream("scheduler").next_u64();
        let mut again = seed.stream("faults");
        assert_eq!(expected, (0..4).map(|_| again.next_u64()).collect::<Vec<_>>());
        assert_ne!(seed.stream("faults").next_u64(), seed.stream("scheduler").next_u64());
    }

    #[test]
    fn powers_and_logarithms_agree_with_exact_values() {
        for (x, expected) in [(1.0, 0.0), (2.0, 1.0), (1024.0, 10.0), (3_595_000.0, 21.777_560_339_988_746)] {
            assert!((log2(x) - expected).abs() < 1e-9, "log2({x}) = {}", log2(x));
            assert!((exp2(log2(x)) / x - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_quick_power_is_as_near_as_it_says() {
        let mut stream = Seed(2).stream("powers");
        for _ in 0..1_000_000 {
            let x = stream.below(64 << 20) as f64 / f64::from(1 << 20);
            let (near, exact) = (exp2_near(x), exp2(x));
            assert!((near / exact - 1.0).abs() < NEAR / 10.0, "2^{x}: {near} and {exact}");
        }
    }

    #[test]
    fn a_quick_draw_is_the_draw_of_the_exact_power() {
        let mut stream = Seed(3).stream("draws");
        for (low, high) in
            [(1, 2), (1, 1_000), (1_000, 595_000), (50, 36_000_000), (1, u64::MAX >> 12), (1, u64::MAX)]
        {
            let draws = LogUniform::new(low, high);
            for _ in 0..500_000 {
                let bits = stream.next_u64();
                let exact = (exp2(draws.from + draws.width * unit(bits)) as u64).clamp(low, high);
                assert_eq!(draws.draw(bits), exact, "{bits} in {low}..={high}");
            }
        }
    }

    #[test]
    fn every_doubling_is_equally_likely() {
        let mut stream = Seed(1).stream("doublings");
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            let value = log_uniform(stream.next_u64(), 1, 1023);
            counts[value.ilog2() as usize] += 1;
        }
        // 10,000 expected in each; five standard deviations are about 475. Small values are rounded down,
        // so the first buckets are exact too.
        assert!(counts.iter().all(|&n| (9_400..10_600).contains(&n)), "{counts:?}");
    }
}
