//! The part of a launch that was verified: computed a second time and compared.

use std::fmt;

/// The part of a launch that was computed a second time and compared. `Display` gives one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Why nothing was verified, with the WGSL line: another device may rightly give other results.
    pub not_done: Option<String>,
    /// The amount of each device's work that another device verified.
    pub parts: Vec<VerifiedPart>,
    /// Pieces of work whose two results did not agree; [`Report::events`](crate::Report::events) has each.
    pub disputes: u32,
    /// The tolerance, in words.
    pub within: String,
}

/// Work of one device that another device verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedPart {
    /// The device that computed it first: `gpu0`.
    pub device: String,
    /// The device that computed it again: `cpu`, or "the CPU's interpreter".
    pub by: String,
    /// The amount, in workgroups.
    pub workgroups: u64,
}

impl Verified {
    /// Workgroups that were computed a second time.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let verified = launch.verify(1.0).run()?.verified.expect("the launch asked for it");
    /// assert_eq!(verified.workgroups(), 4);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn workgroups(&self) -> u64 {
        self.parts.iter().map(|part| part.workgroups).sum()
    }

    /// Records that `by` computed work of a device again.
    pub(crate) fn add(&mut self, device: &str, by: &str, workgroups: u64) {
        let same = |part: &&mut VerifiedPart| part.device == device && part.by == by;
        match self.parts.iter_mut().find(same) {
            Some(part) => part.workgroups += workgroups,
            None => {
                let (device, by) = (device.to_owned(), by.to_owned());
                self.parts.push(VerifiedPart { device, by, workgroups });
            }
        }
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.not_done {
            return write!(f, "not verified: {why}");
        }
        let part = |p: &VerifiedPart| format!("{} of {} by {}", p.workgroups, p.device, p.by);
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        let plural = if self.workgroups() == 1 { "" } else { "s" };
        write!(f, "verified {} workgroup{plural}", self.workgroups())?;
        if !parts.is_empty() {
            write!(f, ": {}", parts.join(", "))?;
        }
        match self.disputes {
            0 => write!(f, "; all agree, {}", self.within),
            1 => write!(f, "; 1 part disagrees, {}", self.within),
            n => write!(f, "; {n} parts disagree, {}", self.within),
        }
    }
}
