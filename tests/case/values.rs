//! Typed lists of scalars in comments: `f32 1 2.5 nan u32 7 16*0 0..4 0xff`.
//!
//! A type name holds until the next one. In an expectation a scalar may also be `_` (anything)
//! or alternatives such as `1|2`.

/// A scalar type of the comment language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F16,
    I32,
    U32,
    U16,
    U8,
}

impl Kind {
    fn from_name(name: &str) -> Option<Kind> {
        Some(match name {
            "f32" => Kind::F32,
            "f16" => Kind::F16,
            "i32" => Kind::I32,
            "u32" => Kind::U32,
            "u16" => Kind::U16,
            "u8" => Kind::U8,
            _ => return None,
        })
    }

    /// The number of bytes of one scalar.
    pub(crate) fn size(self) -> usize {
        match self {
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F16 | Kind::U16 => 2,
            Kind::U8 => 1,
        }
    }

    /// The value of the bits, if the kind is a float.
    pub(crate) fn float(self, bits: u32) -> Option<f64> {
        match self {
            Kind::F32 => Some(f64::from(f32::from_bits(bits))),
            Kind::F16 => Some(f64::from(half::f16::from_bits(bits as u16))),
            _ => None,
        }
    }

    /// The bits in the notation of the comment language.
    pub(crate) fn show(self, bits: u32) -> String {
        match self {
            Kind::F32 => format!("{:?} (0x{bits:08x})", f32::from_bits(bits)),
            Kind::F16 => format!("{:?} (0x{bits:04x})", half::f16::from_bits(bits as u16)),
            Kind::I32 => format!("{}", bits as i32),
            _ => format!("{bits}"),
        }
    }
}

/// One scalar of an expectation.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) want: Want,
}

/// The allowed values of a scalar.
#[derive(Debug, Clone)]
pub(crate) enum Want {
    Anything,
    Nan,
    /// One of these bit patterns; floats within the case's tolerance.
    Bits(Vec<u32>),
}

/// The bytes of a list of values.
pub(crate) fn parse_values(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (kind, token) in items(text)? {
        let bits = scalar(kind, &token)?;
        bytes.extend_from_slice(&bits.to_le_bytes()[..kind.size()]);
    }
    Ok(bytes)
}

/// The slots of a list of expectations.
pub(crate) fn parse_wants(text: &str) -> Result<Vec<Slot>, String> {
    let mut slots = Vec::new();
    for (kind, token) in items(text)? {
        let want = match token.as_str() {
            "_" => Want::Anything,
            "nan" => Want::Nan,
            _ => Want::Bits(token.split('|').map(|t| scalar(kind, t)).collect::<Result<_, _>>()?),
        };
        slots.push(Slot { kind, want });
    }
    Ok(slots)
}

/// The number of bytes of a type and a count, such as `f32 16`.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    let (kind, count) =
        text.split_once(char::is_whitespace).ok_or("a type and a count are needed")?;
    let kind = Kind::from_name(kind).ok_or_else(|| format!("`{kind}` is not a type"))?;
    let count: usize = count.trim().parse().map_err(|_| format!("`{count}` is not a count"))?;
    Ok(kind.size() * count)
}

/// Expands `N*token` and `a..b`.
fn items(text: &str) -> Result<Vec<(Kind, String)>, String> {
    let mut kind = None;
    let mut out = Vec::new();
    for token in text.split_whitespace() {
        if let Some(named) = Kind::from_name(token) {
            kind = Some(named);
            continue;
        }
        let kind = kind.ok_or("values begin with a type")?;
        if let Some((from, to)) = token.split_once("..") {
            let bound = |t: &str| t.parse::<i64>().map_err(|_| format!("`{token}` is not a range"));
            out.extend((bound(from)?..bound(to)?).map(|n| (kind, n.to_string())));
        } else if let Some((count, value)) = token.split_once('*') {
            let count: usize = count.parse().map_err(|_| format!("`{count}` is not a count"))?;
            out.extend(std::iter::repeat_n((kind, value.to_owned()), count));
        } else {
            out.push((kind, token.to_owned()));
        }
    }
    Ok(out)
}

fn scalar(kind: Kind, token: &str) -> Result<u32, String> {
    let bad = || format!("`{token}` is not a {kind:?}");
    if let Some(hex) = token.strip_prefix("0x") {
        let bits = u32::from_str_radix(hex, 16).map_err(|_| bad())?;
        let fits = kind.size() == 4 || u64::from(bits) < 1 << (8 * kind.size());
        return if fits { Ok(bits) } else { Err(bad()) };
    }
    let small = |max: u32| token.parse::<u32>().ok().filter(|n| *n <= max).ok_or_else(bad);
    match kind {
        Kind::F32 => token.parse::<f32>().map(f32::to_bits).map_err(|_| bad()),
        Kind::F16 => token
            .parse::<f64>()
            .map(|v| u32::from(half::f16::from_f64(v).to_bits()))
            .map_err(|_| bad()),
        Kind::I32 => token.parse::<i32>().map(|v| v as u32).map_err(|_| bad()),
        Kind::U32 => token.parse::<u32>().map_err(|_| bad()),
        Kind::U16 => small(0xffff),
        Kind::U8 => small(0xff),
    }
}
