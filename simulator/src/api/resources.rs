//! Which resources the API server serves: names, scope, verbs, subresources. What happens to them is decided elsewhere.

/// A resource of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Plural name, as in paths.
    pub plural: String,
    /// Singular name.
    pub singular: String,
    /// Kind of its objects.
    pub kind: String,
    /// Short names.
    pub short_names: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Member of the category `all`.
    pub in_all: bool,
    /// Subresources.
    pub subresources: &'static [Subresource],
    /// Objects are answers that nobody stores, as of access reviews.
    pub transient: bool,
}

/// A part of an object with a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Subresource {
    Status,
    Scale,
    Eviction,
    Binding,
    Log,
}

impl Subresource {
    /// The last element of its path.
    pub fn name(self) -> &'static str {
        match self {
            Subresource::Status => "status",
            Subresource::Scale => "scale",
            Subresource::Eviction => "eviction",
            Subresource::Binding => "binding",
            Subresource::Log => "log",
        }
    }

    /// Verbs that it understands.
    pub fn verbs(self) -> &'static [&'static str] {
        match self {
            Subresource::Status | Subresource::Scale => &["get", "patch", "update"],
            Subresource::Eviction | Subresource::Binding => &["create"],
            Subresource::Log => &["get"],
        }
    }

    /// Group, version and kind of what is sent to it, where that is not the resource's own.
    pub fn kind(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Subresource::Status | Subresource::Log => None,
            Subresource::Scale => Some(("autoscaling", "v1", "Scale")),
            Subresource::Eviction => Some(("policy", "v1", "Eviction")),
            Subresource::Binding => Some(("", "v1", "Binding")),
        }
    }
}

impl Resource {
    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, as errors name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Deployment.apps`, as errors name the kind.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// Verbs that the resource itself understands.
    pub fn verbs(&self) -> &'static [&'static str] {
        if self.transient {
            &["create"]
        } else {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
    }

    /// A resource of a kind that is only stored: its plural is guessed as custom resource definitions name it.
    pub fn of_kind(api_version: &str, kind: &str, namespaced: bool) -> Resource {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let singular = kind.to_lowercase();
        let plural = if let Some(stem) = singular.strip_suffix('y').filter(|stem| !ends_in_vowel(stem)) {
            format!("{stem}ies")
        } else if ["s", "x", "z", "ch", "sh"].iter().any(|end| singular.ends_with(end)) {
            format!("{singular}es")
        } else {
            format!("{singular}s")
        };
        Resource {
            group: group.into(),
            version: version.into(),
            plural,
            singular,
            kind: kind.into(),
            short_names: Vec::new(),
            namespaced,
            in_all: false,
            subresources: &[Subresource::Status],
            transient: false,
        }
    }
}

fn ends_in_vowel(stem: &str) -> bool {
    stem.ends_with(['a', 'e', 'i', 'o', 'u'])
}

const NONE: &[Subresource] = &[];
const WITH_STATUS: &[Subresource] = &[Subresource::Status];
const SCALABLE: &[Subresource] = &[Subresource::Scale, Subresource::Status];
const POD: &[Subresource] =
    &[Subresource::Binding, Subresource::Eviction, Subresource::Log, Subresource::Status];

type Row = (&'static str, &'static str, &'static str, &'static str, bool, bool, &'static [Subresource]);

/// Group version, plural, kind, short names, namespaced, in `all`, subresources.
const SERVED: &[Row] = &[
    ("v1", "configmaps", "ConfigMap", "cm", true, false, NONE),
    ("v1", "endpoints", "Endpoints", "ep", true, false, NONE),
    ("v1", "events", "Event", "ev", true, false, NONE),
    ("v1", "limitranges", "LimitRange", "limits", true, false, NONE),
    ("v1", "namespaces", "Namespace", "ns", false, false, WITH_STATUS),
    ("v1", "nodes", "Node", "no", false, false, WITH_STATUS),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", true, false, WITH_STATUS),
    ("v1", "persistentvolumes", "PersistentVolume", "pv", false, false, WITH_STATUS),
    ("v1", "pods", "Pod", "po", true, true, POD),
    ("v1", "podtemplates", "PodTemplate", "", true, false, NONE),
    ("v1", "replicationcontrollers", "ReplicationController", "rc", true, true, SCALABLE),
    ("v1", "resourcequotas", "ResourceQuota", "quota", true, false, WITH_STATUS),
    ("v1", "secrets", "Secret", "", true, false, NONE),
    ("v1", "serviceaccounts", "ServiceAccount", "sa", true, false, NONE),
    ("v1", "services", "Service", "svc", true, true, WITH_STATUS),
    ("apps/v1", "controllerrevisions", "ControllerRevision", "", true, false, NONE),
    ("apps/v1", "daemonsets", "DaemonSet", "ds", true, true, WITH_STATUS),
    ("apps/v1", "deployments", "Deployment", "deploy", true, true, SCALABLE),
    ("apps/v1", "replicasets", "ReplicaSet", "rs", true, true, SCALABLE),
    ("apps/v1", "statefulsets", "StatefulSet", "sts", true, true, SCALABLE),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa", true, true, WITH_STATUS),
    ("batch/v1", "cronjobs", "CronJob", "cj", true, true, WITH_STATUS),
    ("batch/v1", "jobs", "Job", "", true, true, WITH_STATUS),
    ("coordination.k8s.io/v1", "leases", "Lease", "", true, false, NONE),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", "", true, false, NONE),
    ("networking.k8s.io/v1", "ingressclasses", "IngressClass", "", false, false, NONE),
    ("networking.k8s.io/v1", "ingresses", "Ingress", "ing", true, false, WITH_STATUS),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", "netpol", true, false, NONE),
    ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", true, false, WITH_STATUS),
    ("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", "", false, false, NONE),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", "", false, false, NONE),
    ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", "", true, false, NONE),
    ("rbac.authorization.k8s.io/v1", "roles", "Role", "", true, false, NONE),
    ("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", "pc", false, false, NONE),
    ("storage.k8s.io/v1", "storageclasses", "StorageClass", "sc", false, false, NONE),
];

/// Resources whose objects are questions.
const REVIEWS: &[(&str, &str, &str, bool)] = &[
    ("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", false),
    ("authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true),
    ("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false),
    ("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false),
    ("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", false),
];

/// The resources that every server has, the core group first.
pub fn served() -> Vec<Resource> {
    let stored =
        SERVED.iter().map(|&(group_version, plural, kind, short, namespaced, in_all, subresources)| {
            let short_names = if short.is_empty() { Vec::new() } else { vec![short.to_owned()] };
            Resource {
                plural: plural.into(),
                short_names,
                in_all,
                subresources,
                ..Resource::of_kind(group_version, kind, namespaced)
            }
        });
    let reviews = REVIEWS.iter().map(|&(group_version, plural, kind, namespaced)| Resource {
        plural: plural.into(),
        transient: true,
        subresources: NONE,
        ..Resource::of_kind(group_version, kind, namespaced)
    });
    stored.chain(reviews).collect()
}
