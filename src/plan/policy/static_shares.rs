//! The policy *static*: each device takes its share in one run, in proportion to its speed as known
//! before the launch, and nothing after that. It is best where speeds are known exactly and hold.
//! No other policy gives the same chunks to the same devices each time.

use super::stock::Stock;

/// A home for each device, which no other device takes from.
pub(super) fn stock(bands: u32, speeds: &[f64]) -> Stock {
    Stock::homes(bands, speeds, false)
}

/// All bands that a device may take.
pub(super) fn size(stock: &Stock, device: usize) -> u32 {
    stock.left_for(device)
}
