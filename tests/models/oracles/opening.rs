//! The opening handshake read plainly: a whole stream in, what it leads to out (RFC 6455 §4,
//! RFC 9112). It says yes or no, not which of several broken rules is named.

use super::codec::{components, split};
use super::cut::Setup;
use super::model::Seen;
use super::{ACCEPT, Taker};
use sansocket::Role;

/// What the head leads to.
#[derive(Debug)]
pub enum Leads {
    /// It is not whole, and what there is may still become one.
    Nowhere,
    ToFailure,
    /// A plain request, or a refusal with its body.
    To(Seen),
    /// The connection is established, by this request if it is a server's.
    ToFrames(Option<Seen>),
}

/// And what stands after the head.
pub fn read<'s>(stream: &'s [u8], setup: &Setup) -> (Leads, &'s [u8]) {
    match setup.role {
        Role::Server => request(stream, setup),
        Role::Client => answer(stream, setup),
    }
}

/// More than any head may have, whatever the limits say.
const MOST_FIELDS: usize = 128;

enum Scanned<'s> {
    /// Its lines without their ends, and what is after it.
    Head(Vec<&'s [u8]>, &'s [u8]),
    More,
    Wrong,
}

/// RFC 9112 §2.1, §2.2: lines end with CR LF, which stand nowhere else (D-10), and an empty one ends
/// the head. `start` judges the first line as far as it is there.
fn scan<'s>(
    bytes: &'s [u8],
    max: usize,
    fields: u16,
    start: impl Fn(&[u8]) -> bool,
) -> Scanned<'s> {
    let within = &bytes[..bytes.len().min(max)];
    let end = (0..within.len())
        .find(|&at| within[at..].starts_with(b"\r\n\r\n"))
        .map(|at| at + 4);
    let head = &within[..end.unwrap_or(within.len())];
    let stray = (0..head.len()).any(|at| match head[at] {
        b'\r' => head.get(at + 1).is_some_and(|&next| next != b'\n'),
        b'\n' => at == 0 || head[at - 1] != b'\r',
        0 => true,
        _ => false,
    });
    // One empty line before a request is skipped.
    let from = if head.starts_with(b"\r\n") { 2 } else { 0 };
    let text = &head[from.min(head.len())..];
    let ends = text.windows(2).filter(|two| two == b"\r\n").count();
    let lines = ends - usize::from(end.is_some());
    if stray || !start(head) || lines > 1 + MOST_FIELDS.min(fields.into()) {
        return Scanned::Wrong;
    }
    match end {
        Some(end) => {
            let mut lines = Vec::new();
            let mut rest = &text[..text.len() - 2];
            while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
                lines.push(&rest[..at]);
                rest = &rest[at + 2..];
            }
            Scanned::Head(lines, &bytes[end..])
        }
        None if bytes.len() > max => Scanned::Wrong,
        None => Scanned::More,
    }
}

fn is_token(text: &[u8]) -> bool {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(legal)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

type Fields = Vec<(String, Vec<u8>)>;

/// RFC 9112 §5, RFC 9110 §5.5: no blank before the colon, no control characters in a value.
fn fields(lines: &[Vec<u8>]) -> Option<Fields> {
    let field = |line: &Vec<u8>| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        let legal = |&byte: &u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
        let name = core::str::from_utf8(name).ok()?.to_owned();
        (is_token(name.as_bytes()) && value.iter().all(legal)).then(|| (name, value.to_vec()))
    };
    lines.iter().map(field).collect()
}

fn values<'f>(fields: &'f Fields, name: &str) -> Vec<&'f [u8]> {
    let named = fields
        .iter()
        .filter(|(own, _)| own.eq_ignore_ascii_case(name));
    named.map(|(_, value)| &value[..]).collect()
}

/// The elements of a list (RFC 9110 §5.6.1).
fn elements<'f>(values: &[&'f [u8]]) -> Vec<&'f [u8]> {
    let parts = values.iter().flat_map(|value| value.split(|&b| b == b','));
    parts.map(trim).filter(|part| !part.is_empty()).collect()
}

fn has(fields: &Fields, name: &str, element: &str) -> bool {
    let elements = elements(&values(fields, name));
    elements
        .iter()
        .any(|own| own.eq_ignore_ascii_case(element.as_bytes()))
}

const WEB: [(&str, bool); 2] = [("http", false), ("https", true)];

/// Host and port of an authority on its own; the default port is the scheme's.
fn host_and_port(scheme: &str, authority: &str) -> Option<(String, u16)> {
    if authority.contains(['/', '?', '#']) {
        return None;
    }
    let (_, host, port, _) = components(&format!("{scheme}://{authority}"), &WEB)?;
    Some((host, port))
}

// ── the server's side

fn request<'s>(stream: &'s [u8], setup: &Setup) -> (Leads, &'s [u8]) {
    let limits = &setup.limits;
    match scan(stream, limits.head as usize, limits.fields, begins_request) {
        Scanned::More => (Leads::Nowhere, &[]),
        Scanned::Wrong => (Leads::ToFailure, &[]),
        Scanned::Head(lines, rest) => {
            let lines: Vec<_> = lines.iter().map(|line| line.to_vec()).collect();
            (
                judge_request(&lines, setup).unwrap_or(Leads::ToFailure),
                rest,
            )
        }
    }
}

/// The first line up to its end, and whether that is there.
fn first_line(head: &[u8]) -> (&[u8], bool) {
    let end = head.iter().position(|&byte| byte == b'\r');
    (&head[..end.unwrap_or(head.len())], end.is_some())
}

/// RFC 9112 §3: a method of at most 20 characters, a target, and a version; or the start of that.
fn begins_request(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    if matches!(head, b"" | b"\r") {
        return true;
    }
    let (line, ended) = first_line(head);
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let is_method = |method: &[u8]| is_token(method) && method.len() <= 20;
    let is_target = |target: &[u8]| target.iter().all(|&byte| byte > b' ');
    method.is_some_and(is_method)
        && target.is_none_or(is_target)
        && version.is_none_or(|version| target != Some(b"") && begins_version(version, ended))
        && (version.is_some() || !ended)
}

/// `HTTP/1.` and a digit, or the start of that.
fn begins_version(version: &[u8], ended: bool) -> bool {
    let (name, minor) = version.split_at(version.len().min(7));
    b"HTTP/1.".starts_with(name)
        && matches!(minor, [] | [b'0'..=b'9'])
        && (minor.len() == 1 || !ended)
}

/// RFC 9112 §4: a version, a status, and a reason; or the start of that.
fn begins_answer(head: &[u8]) -> bool {
    let (line, ended) = first_line(head);
    let (version, rest) = line.split_at(line.len().min(8));
    let digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0");
    let status = match rest {
        [] => !ended,
        [b' ', status @ ..] if status.len() < 4 => digits(status) && (status.len() == 3 || !ended),
        [b' ', a, b, c, b' ', ..] => digits(&[*a, *b, *c]),
        _ => false,
    };
    begins_version(version, ended) && status
}

/// RFC 6455 §4.2.1; `None` where it is refused.
fn judge_request(lines: &[Vec<u8>], setup: &Setup) -> Option<Leads> {
    let line = core::str::from_utf8(&lines[0]).ok()?;
    let parts: Vec<_> = line.split(' ').collect();
    let [method, target, version] = parts[..] else {
        return None;
    };
    let fields = fields(&lines[1..])?;
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let absolute = if target.starts_with('/') && target.bytes().all(visible) {
        None
    } else {
        components(target, &WEB)?;
        let (_, rest) = target.split_once("://")?;
        Some(&rest[..rest.find(['/', '?']).unwrap_or(rest.len())])
    };
    let host = match values(&fields, "host")[..] {
        [] if version == "HTTP/1.0" => None,
        [host] => {
            let host = core::str::from_utf8(host).ok()?;
            host_and_port("http", host)?;
            Some(host)
        }
        _ => return None,
    };
    let seen = |plain| Seen::Request(plain, format!("{method} {target}"), fields.clone());
    if version == "HTTP/1.0" || !has(&fields, "upgrade", "websocket") {
        return setup.serve_http.then(|| Leads::To(seen(true)));
    }
    let content = values(&fields, "content-length");
    let no_content =
        content.iter().all(|len| *len == b"0") && values(&fields, "transfer-encoding").is_empty();
    let key = |key: &[u8]| {
        let digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
        key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(digit)
    };
    let authority = absolute.or(host)?;
    let origin = match values(&fields, "origin")[..] {
        [] => true,
        [origin] => {
            let origin = core::str::from_utf8(origin).ok()?;
            let (scheme, own) = origin.split_once("://")?;
            // Without the path of the parsed one: an origin has none.
            let own = host_and_port(scheme, own)?;
            host_and_port(scheme, authority) == Some(own)
        }
        _ => false,
    };
    let protocols = values(&fields, "sec-websocket-protocol");
    let names = elements(&protocols);
    let extensions = values(&fields, "sec-websocket-extensions");
    let lists = (protocols.is_empty() || !names.is_empty())
        && names.iter().all(|name| is_token(name))
        && (extensions.is_empty() || split(&extensions).is_some());
    let legal = method == "GET"
        && no_content
        && has(&fields, "connection", "upgrade")
        && values(&fields, "sec-websocket-version") == [b"13"]
        && matches!(values(&fields, "sec-websocket-key")[..], [own] if key(own))
        && origin
        && lists;
    legal.then(|| Leads::ToFrames(Some(seen(false))))
}

// ── the client's side

fn answer<'s>(stream: &'s [u8], setup: &Setup) -> (Leads, &'s [u8]) {
    let limits = &setup.limits;
    let (mut rest, mut max) = (stream, limits.head as usize);
    loop {
        let (lines, behind) = match scan(rest, max, limits.fields, begins_answer) {
            Scanned::More => return (Leads::Nowhere, &[]),
            Scanned::Wrong => return (Leads::ToFailure, &[]),
            Scanned::Head(lines, behind) => (lines, behind),
        };
        max -= rest.len() - behind.len();
        rest = behind;
        let leads = match status_and_fields(&lines) {
            None => Leads::ToFailure,
            Some((http10, 100..200, _)) if http10 => Leads::ToFailure,
            Some((_, 101, fields)) if opens(&fields, setup).is_some() => Leads::ToFrames(None),
            Some((_, 101, _)) => Leads::ToFailure,
            Some((_, 100..200, _)) => continue,
            Some((_, status, fields)) => match body(status, &fields, rest, setup) {
                Some((body, truncated)) => Leads::To(Seen::Refused(status, body, truncated)),
                None => Leads::ToFailure,
            },
        };
        return (leads, rest);
    }
}

/// RFC 9112 §4, §5.2: folded lines are one line.
fn status_and_fields(lines: &[&[u8]]) -> Option<(bool, u16, Fields)> {
    let line = lines[0];
    let http10 = line.starts_with(b"HTTP/1.0 ");
    let (digits, reason) = line[9..].split_at_checked(3)?;
    let legal = |&byte: &u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
    if !reason.iter().all(legal) {
        return None;
    }
    let status: u16 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    let mut unfolded: Vec<Vec<u8>> = Vec::new();
    for line in &lines[1..] {
        match (line.first(), unfolded.last_mut()) {
            (Some(b' ' | b'\t'), Some(before)) => {
                before.extend_from_slice(b"  ");
                before.extend_from_slice(line);
            }
            _ => unfolded.push(line.to_vec()),
        }
    }
    // A line that is no field counts against a 101 alone.
    if status != 101 {
        unfolded.retain(|line| fields(core::slice::from_ref(line)).is_some());
    }
    Some((http10, status, fields(&unfolded)?))
}

/// RFC 6455 §4.1, on what [`Setup`] asks for.
fn opens(fields: &Fields, setup: &Setup) -> Option<()> {
    let upgrade = values(fields, "upgrade");
    let protocols = values(fields, "sec-websocket-protocol");
    let extensions = values(fields, "sec-websocket-extensions");
    let legal = matches!(upgrade[..], [own] if own.eq_ignore_ascii_case(b"websocket"))
        && has(fields, "connection", "upgrade")
        && values(fields, "sec-websocket-accept") == [ACCEPT.as_bytes()]
        && (protocols.is_empty() || protocols == [b"chat"]);
    if !legal {
        return None;
    }
    if extensions.is_empty() {
        return Some(());
    }
    let mut compressions = 0;
    for (name, params) in split(&extensions)? {
        match &*name {
            "x-test" => {}
            "permessage-deflate" if setup.deflate.is_some() => {
                compressions += 1;
                agreed(&params)?;
            }
            _ => return None,
        }
    }
    (compressions < 2).then_some(())
}

/// RFC 7692 §7.1: parameters of an answer.
fn agreed(params: &[(String, Option<String>)]) -> Option<()> {
    for (at, (name, value)) in params.iter().enumerate() {
        let bits = |value: &str| (8..=15).any(|bits| bits.to_string() == value);
        let legal = match (&**name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
            ("server_max_window_bits" | "client_max_window_bits", Some(value)) => bits(value),
            _ => false,
        };
        if !legal || params[..at].iter().any(|(other, _)| other == name) {
            return None;
        }
    }
    Some(())
}

/// The body of a refusal and whether something of it is missing (RFC 9112 §6.3); `None`: its length
/// is none.
fn body(status: u16, fields: &Fields, rest: &[u8], setup: &Setup) -> Option<(Vec<u8>, bool)> {
    let room = setup.limits.body as usize;
    let up_to = |end: usize, cut: bool| (rest[..end.min(room)].to_vec(), cut || end > room);
    if matches!(status, 204 | 304) {
        return Some((Vec::new(), false));
    }
    if let Some(last) = values(fields, "transfer-encoding").last() {
        let chunked = elements(&[last])
            .last()
            .is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        return Some(if chunked {
            let overhead = setup.limits.head.max(setup.limits.body) as usize;
            let mut body = Vec::new();
            let whole = chunks(Taker::new(rest), overhead, room, &mut body).is_some();
            (body, !whole)
        } else {
            up_to(rest.len(), false)
        });
    }
    let mut lengths = Vec::new();
    for value in values(fields, "content-length") {
        for number in value.split(|&byte| byte == b',') {
            let number = core::str::from_utf8(trim(number)).ok()?;
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            lengths.push(number.parse::<u64>().ok().filter(|_| digits)?);
        }
    }
    Some(match lengths[..] {
        [] => up_to(rest.len(), false),
        [len, ..] if lengths.iter().any(|other| *other != len) => return None,
        [len, ..] if len > rest.len() as u64 => up_to(rest.len(), true),
        [len, ..] => up_to(len as usize, false),
    })
}

/// RFC 9112 §7.1; `None` where it breaks off, or has more framing or more body than there is room for.
fn chunks(mut t: Taker<'_>, mut overhead: usize, room: usize, body: &mut Vec<u8>) -> Option<()> {
    let mut framing = |t: &mut Taker<'_>| {
        overhead = overhead.checked_sub(1)?;
        t.bytes(1).first().copied()
    };
    loop {
        let (mut size, mut digits) = (0u64, 0);
        let mut byte = framing(&mut t)?;
        while let Some(digit) = char::from(byte).to_digit(16) {
            size = size.checked_mul(16)?.checked_add(digit.into())?;
            digits += 1;
            byte = framing(&mut t)?;
        }
        if digits == 0 {
            return None;
        }
        if matches!(byte, b';' | b' ' | b'\t') {
            while byte != b'\r' {
                byte = framing(&mut t).filter(|byte| *byte != b'\n')?;
            }
        }
        if byte != b'\r' || framing(&mut t)? != b'\n' {
            return None;
        }
        if size == 0 {
            loop {
                let mut len = 0;
                while framing(&mut t).filter(|byte| *byte != b'\n')? != b'\r' {
                    len += 1;
                }
                if framing(&mut t)? != b'\n' {
                    return None;
                }
                if len == 0 {
                    return Some(());
                }
            }
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let data = t.bytes(size);
        let free = room - body.len();
        body.extend_from_slice(&data[..data.len().min(free)]);
        if data.len() > free || data.len() < size {
            return None;
        }
        if framing(&mut t)? != b'\r' || framing(&mut t)? != b'\n' {
            return None;
        }
    }
}
