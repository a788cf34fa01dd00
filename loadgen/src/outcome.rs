//! What the end of a connection means: every [`EndCause`] belongs to one [`Verdict`], on real sockets as in the model.
//!
//! The rules are few. A close that the server announced, or that fell between two messages with nothing under way, is
//! *planned*. What a client cannot tell from a failure is a *drop*. What the client survived, but felt, is *degraded*.
//! What the generator did to itself says nothing about the cluster. Whether a session had outlived its contract is
//! not decided here, but where the verdicts are counted ([`crate::recorder`]).

use serde::{Deserialize, Serialize};

/// What an end of a connection says about the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Closed in order: not a drop.
    Planned,
    /// Lost: the client could not know that, or when, its connection would end.
    Drop,
    /// Survived, but late, slow or elsewhere than it should.
    Degraded,
    /// The load generator's own fault: says nothing about the cluster.
    Generator,
    /// Not to be judged.
    Unknown,
}

/// Writes each cause once: its variant, its documentation, its stable name in reports and records.
macro_rules! end_causes {
    ($(#[doc = $about:literal] $variant:ident $({ $(#[doc = $field_about:literal] $field:ident: $type:ty),+ $(,)? })? = $id:literal,)+) => {
        /// Why a connection ended. Where the same sight can mean two things, the variant holds what decides.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(tag = "cause", deny_unknown_fields)]
        pub enum EndCause {
            $(
                #[doc = $about]
                #[serde(rename = $id)]
                $variant $({ $(#[doc = $field_about] $field: $type),+ })?,
            )+
        }

        impl EndCause {
            /// Every cause's name and description, in the order of the table.
            pub const CATALOGUE: &'static [(&'static str, &'static str)] = &[$(($id, $about)),+];

            /// The cause's name in reports and records. Never changes.
            pub const fn id(&self) -> &'static str {
                match self {
                    $(EndCause::$variant { .. } => $id,)+
                }
            }

            /// What the client saw, in one line.
            pub const fn about(&self) -> &'static str {
                match self {
                    $(EndCause::$variant { .. } => $about.trim_ascii(),)+
                }
            }
        }
    };
}

end_causes! {
    /// The client closed the connection itself, at the end of its lifetime.
    ClientDone = "client_done",
    /// The server closed between two messages.
    FinAtBoundary {
        /// The server said before that it would close.
        announced: bool,
        /// Everything the client sent has been acknowledged by the application.
        all_acked: bool,
        /// Messages still waiting for an answer.
        outstanding: u32,
    } = "fin_at_boundary",
    /// The server closed inside a frame, a chunk or a declared length.
    FinMidMessage = "fin_mid_message",
    /// The server closed while a message waited for its answer.
    FinWithOutstanding = "fin_with_outstanding",
    /// The server closed just as a request went out: less than a round trip and a margin before, no byte of an answer.
    KeepaliveRace = "keepalive_race",
    /// A reset while nothing was under way.
    RstIdle = "rst_idle",
    /// A reset inside a message or while an answer was due.
    RstMidStream = "rst_mid_stream",
    /// A reset right behind a complete message: typical of a server that closes with unread input.
    RstAfterCompleteMessage = "rst_after_complete_message",
    /// A write failed because the peer was gone; merged into the FIN or reset that caused it where that was seen.
    WriteAfterClose = "write_after_close",
    /// What was sent stayed unacknowledged for the user timeout: a black hole.
    UserTimeout = "user_timeout",
    /// Keepalive probes went unanswered: a black hole on an idle connection.
    KeepaliveTimeout = "keepalive_timeout",
    /// No answer, and the kernel retransmits: perhaps a black hole.
    BlackholeSuspected = "blackhole_suspected",
    /// The black hole that was suspected did not end.
    Blackhole = "blackhole",
    /// No answer, though the peer's kernel acknowledges: the process is stuck or frozen.
    StalledApp {
        /// The stall lasted until the client gave up.
        given_up: bool,
    } = "stalled_app",
    /// The peer's receive window stayed closed.
    ZeroWindow = "zero_window",
    /// Nobody listened, or a load balancer said so.
    Refused {
        /// The client was coming back after a planned close; whether it came back in time decides, not one try.
        reconnecting: bool,
    } = "refused",
    /// The connect did not succeed in the client's time.
    ConnectTimeout = "connect_timeout",
    /// The connect succeeded only after a SYN was sent again.
    ConnectSlowSynRetry = "connect_slow_syn_retry",
    /// A reset after the connect and before the first byte: accepted by a load balancer that has no backend.
    ResetOnConnect = "reset_on_connect",
    /// No route to the host or its network.
    Unreachable = "unreachable",
    /// The TLS peer sent an alert.
    TlsAlert = "tls_alert",
    /// The TLS stream ended without close_notify, so that it may have been cut.
    TlsEofNoCloseNotify = "tls_eof_no_close_notify",
    /// The connection was aborted on the client's own machine.
    AbortedLocal = "aborted_local",
    /// The client's machine ran out of ports.
    NoPorts = "no_ports",
    /// The client ran out of file descriptors.
    NoFds = "no_fds",
    /// The client's machine ran out of memory for sockets.
    NoMem = "no_mem",
    /// The name did not resolve.
    Dns {
        /// Name resolution is part of what is tested.
        under_test: bool,
    } = "dns",
    /// A 5xx answer other than the three below.
    Http5xx = "http_5xx",
    /// 502: a proxy in the path lost its backend.
    Http502 = "http_502",
    /// 503: nobody there to answer.
    Http503 = "http_503",
    /// 504: a proxy in the path waited in vain.
    Http504 = "http_504",
    /// 429: the server asks for less.
    Http429 = "http_429",
    /// Another 4xx answer: the generator asks for the wrong thing.
    Http4xx = "http_4xx",
    /// HTTP/1.1: an answer said `Connection: close`, then the server closed.
    H1ConnectionClose = "h1_connection_close",
    /// HTTP/2: GOAWAY without error, and every stream up to its last id was completed.
    H2GoawayGraceful = "h2_goaway_graceful",
    /// HTTP/2: a stream that the server says it did not process; retried.
    H2StreamRefused = "h2_stream_refused",
    /// HTTP/2: GOAWAY with an error.
    H2GoawayError = "h2_goaway_error",
    /// HTTP/2: an accepted stream was reset.
    H2RstStream = "h2_rst_stream",
    /// HTTP/2: the connection ended without GOAWAY and with streams open.
    H2Cut = "h2_cut",
    /// WebSocket: closed with 1001, going away.
    WsClose1001 = "ws_close_1001",
    /// WebSocket: closed with 1012, service restart.
    WsClose1012 = "ws_close_1012",
    /// WebSocket: closed with 1000, done.
    WsClose1000 = "ws_close_1000",
    /// WebSocket: ended without a close frame.
    Ws1006 = "ws_1006",
    /// WebSocket: closed with 1011, server error.
    WsClose1011 = "ws_close_1011",
    /// WebSocket: closed with 1013, try again later.
    WsClose1013 = "ws_close_1013",
    /// Server-sent events: the final chunk came, and resuming shows no gap.
    SseEndClean = "sse_end_clean",
    /// A chunked body ended before its last chunk.
    ChunkedTruncated = "chunked_truncated",
    /// gRPC: UNAVAILABLE behind a GOAWAY.
    GrpcUnavailableAfterGoaway {
        /// The call's trailers came.
        trailers: bool,
        /// The call's retry succeeded.
        retried: bool,
    } = "grpc_unavailable_after_goaway",
    /// A message is missing.
    SeqGap = "seq_gap",
    /// A message came twice.
    SeqDup = "seq_dup",
    /// Messages came out of order.
    SeqReorder = "seq_reorder",
    /// A message's content is not what was sent.
    Corrupt = "corrupt",
    /// Another backend answered on the same connection.
    WrongBackend = "wrong_backend",
    /// Closed in order, but the client was not connected again within its budget.
    PlannedCloseSlowReconnect = "planned_close_slow_reconnect",
    /// An end that fits no other cause.
    Unclassified = "unclassified",
}

impl EndCause {
    /// What this end says about the cluster.
    pub const fn verdict(&self) -> Verdict {
        use EndCause as C;
        use Verdict::{Degraded, Drop, Generator, Planned, Unknown};
        match *self {
            // A FIN with a message under way loses that message, announced or not; without notice the client must
            // also know that what it sent arrived.
            C::FinAtBoundary { announced, all_acked, outstanding } => {
                if outstanding == 0 && (announced || all_acked) { Planned } else { Drop }
            }
            C::StalledApp { given_up } => {
                if given_up {
                    Drop
                } else {
                    Degraded
                }
            }
            C::Refused { reconnecting } => {
                if reconnecting {
                    Degraded
                } else {
                    Drop
                }
            }
            C::Dns { under_test } => {
                if under_test {
                    Drop
                } else {
                    Generator
                }
            }
            // Without trailers the outcome of the call is not known; without a retry it is lost.
            C::GrpcUnavailableAfterGoaway { trailers, retried } => {
                if trailers && retried {
                    Planned
                } else {
                    Drop
                }
            }
            C::ClientDone
            | C::H1ConnectionClose
            | C::H2GoawayGraceful
            | C::H2StreamRefused
            | C::WsClose1001
            | C::WsClose1012
            | C::WsClose1000
            | C::SseEndClean => Planned,
            C::BlackholeSuspected
            | C::ZeroWindow
            | C::ConnectSlowSynRetry
            | C::Http429
            | C::WrongBackend
            | C::PlannedCloseSlowReconnect => Degraded,
            C::AbortedLocal | C::NoPorts | C::NoFds | C::NoMem | C::Http4xx => Generator,
            C::FinMidMessage
            | C::FinWithOutstanding
            | C::KeepaliveRace
            | C::RstIdle
            | C::RstMidStream
            | C::RstAfterCompleteMessage
            | C::WriteAfterClose
            | C::UserTimeout
            | C::KeepaliveTimeout
            | C::Blackhole
            | C::ConnectTimeout
            | C::ResetOnConnect
            | C::Unreachable
            | C::TlsAlert
            | C::TlsEofNoCloseNotify
            | C::Http5xx
            | C::Http502
            | C::Http503
            | C::Http504
            | C::H2GoawayError
            | C::H2RstStream
            | C::H2Cut
            | C::Ws1006
            | C::WsClose1011
            | C::WsClose1013
            | C::ChunkedTruncated
            | C::SeqGap
            | C::SeqDup
            | C::SeqReorder
            | C::Corrupt => Drop,
            C::Unclassified => Unknown,
        }
    }

    /// Whether data was lost, repeated, moved or changed: worse than any cut, because nobody may notice.
    pub const fn is_corruption(&self) -> bool {
        matches!(self, EndCause::SeqGap | EndCause::SeqDup | EndCause::SeqReorder | EndCause::Corrupt)
    }

    /// Whether the connection was never established, so that a *new* connection failed rather than a live one.
    pub const fn is_before_established(&self) -> bool {
        matches!(
            self,
            EndCause::Refused { .. }
                | EndCause::ConnectTimeout
                | EndCause::ResetOnConnect
                | EndCause::Unreachable
                | EndCause::Dns { .. }
                | EndCause::NoPorts
                | EndCause::NoFds
                | EndCause::NoMem
        )
    }
}

impl std::fmt::Display for EndCause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.id())
    }
}

#[cfg(test)]
mod tests;
