//! kube-proxy: which endpoints a node sends a new connection to, and what it answers where there are none.
//!
//! A pure function of the endpoints that this node's proxy knows. When it knows them is the caller's affair; flows
//! that exist already are not asked about: their endpoint was chosen with their first packet.
//!
//! Source: kubernetes pkg/proxy/topology.go:CategorizeEndpoints, pkg/proxy/iptables/proxier.go:syncProxyRules,
//! pkg/proxy/healthcheck/service_health.go.

#[cfg(test)]
mod tests;

/// An endpoint of one port of a Service, as a proxy knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// It runs on the node that is asked about.
    pub local: bool,
    /// Condition ready; where it is missing, true.
    pub ready: bool,
    /// Condition serving; where it is missing, true.
    pub serving: bool,
    /// Condition terminating; where it is missing, false.
    pub terminating: bool,
}

impl Endpoint {
    fn is_serving_terminating(&self) -> bool {
        self.serving && self.terminating
    }
}

/// `externalTrafficPolicy` or `internalTrafficPolicy` of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficPolicy {
    /// Any endpoint; from outside, the client's address is replaced by the node's.
    Cluster,
    /// Endpoints of this node alone.
    Local,
}

/// Where new connections go; positions in the slice that was asked about, each with the same chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To one of these, never none.
    To(Vec<usize>),
    /// Nowhere: the connection is refused at once (ICMP port unreachable).
    Reject,
    /// Nowhere: the packets vanish. Endpoints exist, but none here.
    Drop,
}

/// Routes a new connection: to ready endpoints, or, where there are none, to those that still serve while they
/// terminate.
///
/// For traffic from outside (node port, load balancer) `policy` is the external one; for this node's own pods and
/// processes it is the internal one, and to the external address of a Service always [`TrafficPolicy::Cluster`].
pub fn route(policy: TrafficPolicy, endpoints: &[Endpoint]) -> Route {
    let within = |endpoint: &Endpoint| policy == TrafficPolicy::Cluster || endpoint.local;
    let select = |usable: fn(&Endpoint) -> bool| -> Vec<usize> {
        (0..endpoints.len()).filter(|&i| within(&endpoints[i]) && usable(&endpoints[i])).collect()
    };
    let mut usable = select(|endpoint| endpoint.ready);
    if usable.is_empty() {
        usable = select(Endpoint::is_serving_terminating);
    }
    match usable.is_empty() {
        false => Route::To(usable),
        true if any_usable(endpoints) => Route::Drop,
        true => Route::Reject,
    }
}

/// Whether any endpoint anywhere could take a new connection.
pub fn any_usable(endpoints: &[Endpoint]) -> bool {
    endpoints.iter().any(|endpoint| endpoint.ready || endpoint.is_serving_terminating())
}

/// The answer of the health-check node port of a Service with external policy [`TrafficPolicy::Local`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthCheck {
    /// 200 or 503.
    pub status: u16,
    /// Ready endpoints of this node; terminating ones do not count although traffic still reaches them.
    pub local_endpoints: usize,
}

/// Answers a health check of the node port. `rules_overdue` says that the proxy has owed its rules an update for more
/// than 60 s.
pub fn health_check(endpoints: &[Endpoint], rules_overdue: bool) -> HealthCheck {
    let local_endpoints = endpoints.iter().filter(|endpoint| endpoint.local && endpoint.ready).count();
    let healthy = local_endpoints > 0 && !rules_overdue;
    HealthCheck { status: if healthy { 200 } else { 503 }, local_endpoints }
}

/// Answers `/healthz` on port 10256: whether new connections should be sent to this node at all. `deleting` and
/// `to_be_deleted_taint` are of the proxy's last copy of its own Node, which outlives the object; cordons and other
/// taints do not matter.
pub fn node_health_status(deleting: bool, to_be_deleted_taint: bool, rules_overdue: bool) -> u16 {
    if deleting || to_be_deleted_taint || rules_overdue { 503 } else { 200 }
}
