use std::collections::BTreeSet;

use super::Verdict::{Degraded, Drop, Generator, Planned, Unknown};
use super::*;

/// The whole table, row by row; where context decides, both sides of each decision.
const TABLE: &[(&str, EndCause, Verdict)] = &[
    ("client_done", EndCause::ClientDone, Planned),
    ("fin_at_boundary", fin(true, true, 0), Planned),
    ("fin_at_boundary", fin(true, false, 0), Planned),
    ("fin_at_boundary", fin(false, true, 0), Planned),
    ("fin_at_boundary", fin(false, false, 0), Drop),
    ("fin_at_boundary", fin(true, true, 1), Drop),
    ("fin_at_boundary", fin(false, true, 1), Drop),
    ("fin_mid_message", EndCause::FinMidMessage, Drop),
    ("fin_with_outstanding", EndCause::FinWithOutstanding, Drop),
    ("keepalive_race", EndCause::KeepaliveRace, Drop),
    ("rst_idle", EndCause::RstIdle, Drop),
    ("rst_mid_stream", EndCause::RstMidStream, Drop),
    ("rst_after_complete_message", EndCause::RstAfterCompleteMessage, Drop),
    ("write_after_close", EndCause::WriteAfterClose, Drop),
    ("user_timeout", EndCause::UserTimeout, Drop),
    ("keepalive_timeout", EndCause::KeepaliveTimeout, Drop),
    ("blackhole_suspected", EndCause::BlackholeSuspected, Degraded),
    ("blackhole", EndCause::Blackhole, Drop),
    ("stalled_app", EndCause::StalledApp { given_up: false }, Degraded),
    ("stalled_app", EndCause::StalledApp { given_up: true }, Drop),
    ("zero_window", EndCause::ZeroWindow, Degraded),
    ("refused", EndCause::Refused { reconnecting: false }, Drop),
    ("refused", EndCause::Refused { reconnecting: true }, Degraded),
    ("connect_timeout", EndCause::ConnectTimeout, Drop),
    ("connect_slow_syn_retry", EndCause::ConnectSlowSynRetry, Degraded),
    ("reset_on_connect", EndCause::ResetOnConnect, Drop),
    ("unreachable", EndCause::Unreachable, Drop),
    ("tls_alert", EndCause::TlsAlert, Drop),
    ("tls_eof_no_close_notify", EndCause::TlsEofNoCloseNotify, Drop),
    ("aborted_local", EndCause::AbortedLocal, Generator),
    ("no_ports", EndCause::NoPorts, Generator),
    ("no_fds", EndCause::NoFds, Generator),
    ("no_mem", EndCause::NoMem, Generator),
    ("dns", EndCause::Dns { under_test: false }, Generator),
    ("dns", EndCause::Dns { under_test: true }, Drop),
    ("http_5xx", EndCause::Http5xx, Drop),
    ("http_502", EndCause::Http502, Drop),
    ("http_503", EndCause::Http503, Drop),
    ("http_504", EndCause::Http504, Drop),
    ("http_429", EndCause::Http429, Degraded),
    ("http_4xx", EndCause::Http4xx, Generator),
    ("h1_connection_close", EndCause::H1ConnectionClose, Planned),
    ("h2_goaway_graceful", EndCause::H2GoawayGraceful, Planned),
    ("h2_stream_refused", EndCause::H2StreamRefused, Planned),
    ("h2_goaway_error", EndCause::H2GoawayError, Drop),
    ("h2_rst_stream", EndCause::H2RstStream, Drop),
    ("h2_cut", EndCause::H2Cut, Drop),
    ("ws_close_1001", EndCause::WsClose1001, Planned),
    ("ws_close_1012", EndCause::WsClose1012, Planned),
    ("ws_close_1000", EndCause::WsClose1000, Planned),
    ("ws_1006", EndCause::Ws1006, Drop),
    ("ws_close_1011", EndCause::WsClose1011, Drop),
    ("ws_close_1013", EndCause::WsClose1013, Drop),
    ("sse_end_clean", EndCause::SseEndClean, Planned),
    ("chunked_truncated", EndCause::ChunkedTruncated, Drop),
    ("grpc_unavailable_after_goaway", grpc(true, true), Planned),
    ("grpc_unavailable_after_goaway", grpc(true, false), Drop),
    ("grpc_unavailable_after_goaway", grpc(false, true), Drop),
    ("seq_gap", EndCause::SeqGap, Drop),
    ("seq_dup", EndCause::SeqDup, Drop),
    ("seq_reorder", EndCause::SeqReorder, Drop),
    ("corrupt", EndCause::Corrupt, Drop),
    ("wrong_backend", EndCause::WrongBackend, Degraded),
    ("planned_close_slow_reconnect", EndCause::PlannedCloseSlowReconnect, Degraded),
    ("unclassified", EndCause::Unclassified, Unknown),
];

const fn fin(announced: bool, all_acked: bool, outstanding: u32) -> EndCause {
    EndCause::FinAtBoundary { announced, all_acked, outstanding }
}

const fn grpc(trailers: bool, retried: bool) -> EndCause {
    EndCause::GrpcUnavailableAfterGoaway { trailers, retried }
}

#[test]
fn every_cause_has_the_verdict_of_its_row() {
    for &(id, cause, verdict) in TABLE {
        assert_eq!((cause.id(), cause.verdict()), (id, verdict), "{cause:?}");
        assert!(cause.about().ends_with('.') && !cause.about().starts_with(' '), "{id}");
    }
}

#[test]
fn the_table_names_every_cause_and_no_name_twice() {
    let in_table: BTreeSet<&str> = TABLE.iter().map(|row| row.0).collect();
    let in_catalogue: BTreeSet<&str> = EndCause::CATALOGUE.iter().map(|row| row.0).collect();
    assert_eq!(in_table, in_catalogue);
    assert_eq!(in_catalogue.len(), EndCause::CATALOGUE.len());
}

#[test]
fn lost_or_changed_data_is_the_worst_class_and_always_a_drop() {
    let worst: Vec<&str> = TABLE.iter().filter(|row| row.1.is_corruption()).map(|row| row.0).collect();
    assert_eq!(worst, ["seq_gap", "seq_dup", "seq_reorder", "corrupt"]);
    assert!(TABLE.iter().filter(|row| row.1.is_corruption()).all(|row| row.2 == Drop));
}

#[test]
fn causes_are_small_enough_to_be_carried_by_every_connection() {
    assert!(size_of::<EndCause>() <= 8, "{} bytes", size_of::<EndCause>());
}
