//! permessage-deflate as an extension like any other.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter;

use crate::extension::{DecodeError, EncodeError, Extension, MessageCodec, MessageExtension};
use crate::role::Role;

use super::{Agreed, Deflater, Inflater, NAME, PermessageDeflate};

/// Both directions of a connection, as agreed. Holds no memory until a compressed message comes or goes.
#[derive(Debug)]
pub(super) struct DeflateCodec {
    pub(super) inflater: Inflater,
    pub(super) deflater: Deflater,
}

impl MessageExtension for PermessageDeflate {
    fn name(&self) -> &str {
        NAME
    }

    fn offer(&self) -> String {
        self.offers()
    }

    fn answer(&self, offers: &[Extension<'_>]) -> Option<String> {
        Some(self.choose(offers.iter().copied())?.to_string())
    }

    fn accepts(&self, answer: &Extension<'_>) -> bool {
        self.check(iter::once(*answer)).is_ok()
    }

    fn fits(&self, memory: usize) -> bool {
        self.fitting(memory).is_some()
    }

    fn within(&self, memory: usize) -> Option<Box<dyn MessageExtension>> {
        Some(Box::new(self.fitting(memory)?))
    }

    #[cfg(feature = "replay")]
    fn permessage_deflate(&self) -> Option<&PermessageDeflate> {
        Some(self)
    }

    fn codec(&self, role: Role, answer: &Extension<'_>) -> Option<Box<dyn MessageCodec>> {
        Some(Box::new(Agreed::read(answer)?.codec(role, self)))
    }
}

impl MessageCodec for DeflateCodec {
    fn encode(&mut self, part: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.deflater.deflate(part, last, out);
        Ok(())
    }

    fn wants(&self, len: usize) -> bool {
        self.deflater.wants(len)
    }

    fn isolate(&mut self) {
        self.deflater.alone();
    }

    fn encoded_len(&self, len: usize) -> usize {
        Deflater::room(len)
    }

    fn encode_message(&mut self, message: &[u8]) -> Option<&[u8]> {
        self.deflater.short(message)
    }

    fn encoded(&mut self) {
        self.deflater.end();
    }

    fn shared_deflate_window(&self) -> Option<u8> {
        let window_bits = self.deflater.window_bits();
        (!self.deflater.takeover()).then_some(window_bits)
    }

    fn decode<'c>(
        &'c mut self,
        input: &mut &[u8],
        last: bool,
        room: &'c mut [u8],
        limit: u64,
    ) -> Result<Option<&'c [u8]>, DecodeError> {
        self.inflater.piece(input, last, room, limit)
    }

    fn frame_begins(&mut self, payload_len: u64) {
        self.inflater.frame(payload_len);
    }

    fn room(&self, input_len: usize) -> usize {
        Inflater::room_for(input_len)
    }

    fn decode_into(
        &mut self,
        input: &[u8],
        last: bool,
        message: &mut Vec<u8>,
        filled: &mut usize,
        limit: u64,
    ) -> Result<(), DecodeError> {
        self.inflater.inflate(input, last, message, filled, limit)
    }

    fn decode_message(&mut self, payload: &[u8], limit: u64) -> Option<&[u8]> {
        self.inflater.short(payload, limit)
    }

    fn decoded(&mut self) {
        self.inflater.end();
    }

    fn assume(&mut self, byte: u8) -> Option<usize> {
        self.inflater.assume(byte)
    }

    fn context(&self) -> Option<Vec<u8>> {
        let mut context = Vec::from([self.deflater.stands()]);
        context.extend(self.inflater.window());
        Some(context)
    }

    fn resume(&mut self, context: &[u8]) -> bool {
        let Some((&stands, window)) = context.split_first() else {
            return false;
        };
        self.deflater.stand(stands) && self.inflater.resume(window)
    }

    fn shrink(&mut self) {
        self.inflater.park();
        self.deflater.park();
    }

    fn memory_held(&self) -> usize {
        self.inflater.memory_held() + self.deflater.memory_held()
    }

    fn memory_most(&self) -> usize {
        self.inflater.memory_most() + self.deflater.memory_most()
    }

    fn encoded_most(&self, len: usize) -> usize {
        Deflater::most_of(len)
    }
}
