//! What a number of drops among a number of exposures proves about the true drop rate.
//!
//! Zero drops prove little when few connections moved: 30 clean moves leave room for one drop in eleven. What an exposure
//! is, the caller says; drops cluster (a node that cuts one connection cuts all), so that node drains are the honest
//! count and single connections the optimistic one.
//!
//! Computed from additions, multiplications and divisions alone, so that reports agree between machines.

/// The 95 % upper bound of the drop rate after `drops` drops in `exposures` independent exposures, in 0.0..=1.0.
///
/// This is Clopper and Pearson's exact bound, one-sided: the rate at which so few drops would be seen in one run of
/// twenty. Without drops it is `1 - 0.05^(1/n)`, about 3/n. Without exposures nothing is proven and the bound is 1.
/// Source: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934).
///
/// ```
/// assert_eq!(format!("{:.3}", loadgen::confidence::drop_rate_bound(0, 59)), "0.050");
/// ```
pub fn drop_rate_bound(drops: u64, exposures: u64) -> f64 {
    if drops >= exposures {
        return 1.0;
    }
    // The chance of so few drops falls as the rate rises; the bound is where it passes 5 %.
    let (mut low, mut high) = (drops as f64 / exposures as f64, 1.0);
    // 128 halvings: 64 reach the bound of the most exposures there can be, the rest refines it to a double's last bits.
    for _ in 0..128 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if chance_of_at_most(drops, exposures, middle) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The chance of at most `drops` drops in `exposures` exposures at a rate above `drops / exposures`.
fn chance_of_at_most(drops: u64, exposures: u64, rate: f64) -> f64 {
    let clean = 1.0 - rate;
    // The chance of exactly `drops`: factors far above and far below one alternate, and the exponent is kept apart.
    let mut exactly = Scaled::from(clean).power(exposures - drops);
    for k in 1..=drops {
        exactly = exactly.times(Scaled::from((exposures - drops + k) as f64 / k as f64 * rate));
    }
    // The chances of fewer, relative to that. Each is smaller than the one before, because the rate is above the mean.
    let (mut relative, mut sum) = (1.0, 1.0);
    for k in (1..=drops).rev() {
        relative *= k as f64 / (exposures - k + 1) as f64 * (clean / rate);
        sum += relative;
        if relative < 1e-18 {
            break;
        }
    }
    exactly.value() * sum
}

/// A positive number whose exponent does not fit a double: `mantissa * 2^exponent`, the mantissa in 1.0..2.0.
#[derive(Clone, Copy)]
struct Scaled {
    mantissa: f64,
    exponent: i64,
}

impl Scaled {
    /// A positive, normal double; zero becomes the smallest normal one, which no sum here tells from zero.
    fn from(number: f64) -> Scaled {
        let bits = number.max(f64::MIN_POSITIVE).to_bits();
        Scaled {
            mantissa: f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52)),
            exponent: ((bits >> 52) & 0x7ff) as i64 - 1023,
        }
    }

    fn times(self, other: Scaled) -> Scaled {
        let product = Scaled::from(self.mantissa * other.mantissa);
        Scaled {
            exponent: product.exponent.saturating_add(self.exponent).saturating_add(other.exponent),
            ..product
        }
    }

    fn power(mut self, mut times: u64) -> Scaled {
        let mut result = Scaled { mantissa: 1.0, exponent: 0 };
        while times > 0 {
            if times & 1 == 1 {
                result = result.times(self);
            }
            self = self.times(self);
            times >>= 1;
        }
        result
    }

    /// As a double; zero below 2^-1000. Chances are at most one, so that the other end does not occur.
    fn value(self) -> f64 {
        if self.exponent < -1_000 {
            return 0.0;
        }
        self.mantissa * f64::from_bits(((self.exponent.min(1_000) + 1_023) as u64) << 52)
    }
}

#[cfg(test)]
mod tests;
