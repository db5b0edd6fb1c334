//! The state machine, reply by reply.
