//! Any payload, message and conversation.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Short messages in a row, of any blocks, cut off or changed: the way of short messages that are
    /// there as a whole ends as the general way does, and leaves the same window.
    #[test]
    fn any_short_messages(
        messages in prop::collection::vec(
            (prop::collection::vec((0usize..5, 0usize..300), 0..5), 0usize..9, any::<u16>()),
            1..6,
        ),
        takeover: bool,
        level in 0u8..=9,
    ) {
        let mut deflater = Deflater::new(takeover, 15, &PermessageDeflate::client().level(level));
        let mut readers = WAYS.map(|way| (way, inflater(takeover)));
        for (blocks, damage, at) in messages {
            let mut payload = Vec::new();
            for (kind, len) in blocks {
                match kind {
                    // Final and empty, with fixed codes or stored; stored and empty.
                    0 => payload.extend([0x03, 0x00]),
                    1 => payload.extend([0x01, 0x00, 0x00, 0xff, 0xff]),
                    2 => payload.extend([0x00, 0x00, 0x00, 0xff, 0xff]),
                    3 => deflater.deflate(&vec![b'x'; len * 60], false, &mut payload),
                    _ => deflater.deflate(&json(len), false, &mut payload),
                }
            }
            payload.push(0x00);
            let at = usize::from(at) % (payload.len() * 8);
            match damage {
                0 => payload.truncate(at / 8),
                1 => payload[at / 8] ^= 1 << (at % 8),
                2 => payload.insert(at / 8, 0x03),
                _ => {}
            }
            let mut results = readers
                .iter_mut()
                .map(|(way, inflater)| way(inflater, &[&payload], NO_LIMIT))
                .collect::<Vec<_>>();
            let last = results.pop().unwrap();
            for result in results {
                prop_assert_eq!(&result, &last, "{:02x?}", payload);
            }
            if last.is_err() {
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any messages in any cut, with any parameters, both ways of reading.
    #[test]
    fn any_conversation(
        seeds in prop::collection::vec((0u8..3, 0usize..100_000, 1usize..40_000), 1..6),
        takeover: bool,
        bits in 8u8..=15,
        level in 0u8..=9,
        streamed: bool,
    ) {
        let settings = PermessageDeflate::client().level(level);
        let mut deflater = Deflater::new(takeover, bits, &settings);
        let mut inflater = inflater(takeover);
        for (kind, len, cut) in seeds {
            let message = match kind {
                0 => json(len),
                1 => noise(len),
                _ => vec![b'x'; len],
            };
            let mut payload = Vec::new();
            let half = message.len() / 2;
            if cut % 2 == 0 {
                deflater.deflate(&message[..half], false, &mut payload);
                deflater.deflate(&message[half..], true, &mut payload);
            } else {
                deflater.deflate(&message, true, &mut payload);
            }
            let parts: Vec<&[u8]> = payload.chunks(cut).collect();
            let way = WAYS[usize::from(streamed)];
            prop_assert!(way(&mut inflater, &parts, len as u64).unwrap() == message);
        }
    }

    /// Any bytes: a result, no panic, the same in any cut and in both ways.
    #[test]
    fn any_payload(
        payload in prop::collection::vec(any::<u8>(), 0..60),
        cut in 1usize..20,
        limit in prop::sample::select(vec![5_000, 20_000]),
    ) {
        let uncut = whole(&mut inflater(true), &[&payload], limit);
        for way in WAYS {
            let mut parts: Vec<&[u8]> = payload.chunks(cut).collect();
            parts.push(&[]);
            prop_assert_eq!(&way(&mut inflater(true), &parts, limit), &uncut);
        }
        let limit = |out: &Vec<u8>| out.len() as u64 <= limit;
        let expected = reference::inflate(&[], reference::WINDOW, &payload).map(|read| read.out).filter(limit);
        prop_assert_eq!(uncut.ok(), expected);
        // What has come out and what is certain before the end is known.
        let (read, stop) = reference::so_far(&[], reference::WINDOW, &payload);
        let (mut out, mut filled) = (Vec::new(), 0);
        let begun = inflater(true).inflate(&payload, false, &mut out, &mut filled, NO_LIMIT);
        prop_assert_eq!(begun.is_err(), stop == reference::Stop::Corrupt);
        prop_assert!(begun.is_err() || out[..filled] == read.out);
    }
}
