//! Pseudo-random numbers: the same for the same seed, in every run and on every machine.

/// A pseudo-random number that three numbers determine.
pub(crate) fn mix(a: u64, b: u64, c: u64) -> u64 {
    let mut x = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.rotate_left(32) ^ c;
    for _ in 0..3 {
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
    }
    x
}

/// A number from 0 to 1, from random bits.
pub(crate) fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// The number at a position of the sequence of a seed, from 0 to 1.
pub(crate) fn draw(seed: u64, number: u64) -> f64 {
    unit(mix(seed, 0, number))
}
