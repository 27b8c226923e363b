//! Control frames received (RFC 6455 §5.5).

use crate::event::Pong;
use crate::frame::Opcode;
use crate::payload::Payload;

use super::Connection;
use super::budgets::Budget;
use super::event::Event;

impl Connection {
    /// A whole control frame, unmasked.
    pub(super) fn control_received<'a>(
        &mut self,
        opcode: Opcode,
        payload: Payload<'a>,
    ) -> Event<'a> {
        match opcode {
            Opcode::Ping => {
                if let Err(error) = self.spend(Budget::Pings) {
                    return self.fail_for(error.into());
                }
                self.ping_received(&payload);
                Event::Ping(payload)
            }
            Opcode::Pong => {
                let round_trip_micros = self.pong_received(&payload);
                if round_trip_micros == Pong::NO_ROUND_TRIP
                    && let Err(error) = self.spend(Budget::Pings)
                {
                    return self.fail_for(error.into());
                }
                Event::Pong(Pong {
                    payload,
                    round_trip_micros,
                })
            }
            _ => self.close_came(&payload),
        }
    }

    /// RFC 6455 §5.5.2: answered with the same payload, also after our own Close frame, as a Pong is
    /// no data (§5.5.1).
    fn ping_received(&mut self, payload: &[u8]) {
        if !self.settings().auto_pong || self.life.is_unwritable() {
            return;
        }
        // §5.5.3: where pongs pile up only the latest ping needs its answer.
        if !self.output.takes_pong() || !self.queue_pong(payload) {
            self.rare().unanswered = Some(payload.to_vec());
        }
    }

    fn queue_pong(&mut self, payload: &[u8]) -> bool {
        let Ok(key) = self.masking_key() else {
            return false;
        };
        if self
            .make_room_for_control(Opcode::Pong, payload.len())
            .is_err()
        {
            return false;
        }
        self.output.control(Opcode::Pong, key, payload);
        true
    }

    /// Output has left: there may be room for the answer that had to wait. Once the connection is
    /// over nothing is added to what still goes out (RFC 6455 §7.1.4).
    pub(super) fn answer_latest_ping(&mut self) {
        if self.output.takes_pong()
            && let Some(ping) = self.rare.as_mut().and_then(|rare| rare.unanswered.take())
            && !self.is_over()
            && !self.queue_pong(&ping)
        {
            self.rare().unanswered = Some(ping);
        }
    }
}
