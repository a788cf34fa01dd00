//! A served world for the families that ask the API server: over HTTP on a loopback port where that is built in, else
//! through the same handler.

use serde_json::Value;

use super::{CaseError, meaningless};
use crate::{
    chance::Seed,
    http::Method,
    import::{
        aws::{self, LoadBalancerDefaults},
        parse_cluster,
    },
    parameters::Parameters,
    world::World,
};

/// What was answered.
pub(super) struct Answered {
    pub(super) code: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Value,
}

/// The world that consists of these objects.
pub(super) fn world_of(objects: &[Value]) -> Result<World, CaseError> {
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let wrong = |why: String| meaningless("base", why);
    let cluster =
        parse_cluster("case", list.to_string().as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let defaults = LoadBalancerDefaults::default();
    let (state, _) = aws::complete(None, &cluster, &defaults).map_err(|error| wrong(error.to_string()))?;
    World::new(&cluster, &state, Parameters::default(), Seed(1)).map_err(|error| wrong(error.to_string()))
}

#[cfg(feature = "live")]
pub(super) use over_http::Server;

#[cfg(feature = "live")]
mod over_http {
    use std::{
        io::{self, Read as _, Write as _},
        net::TcpStream,
    };

    use super::{Answered, CaseError, Method, Value, World, meaningless};
    use crate::live::Background;

    /// The world on a port.
    pub(in super::super) struct Server(Background);

    impl Server {
        pub(in super::super) fn start(world: World) -> Result<Server, CaseError> {
            Background::start(world).map(Server).map_err(|error| meaningless("server", error.to_string()))
        }

        pub(in super::super) fn pass(&mut self, span: u64) {
            self.0.pass(span);
        }

        pub(in super::super) fn ask(
            &mut self,
            method: Method,
            path: &str,
            content_type: &str,
            body: &Value,
        ) -> Result<Answered, CaseError> {
            self.exchange(method, path, content_type, body)
                .map_err(|error| meaningless("server", error.to_string()))
        }

        fn exchange(
            &self,
            method: Method,
            path: &str,
            content_type: &str,
            body: &Value,
        ) -> io::Result<Answered> {
            let verb = format!("{method:?}").to_uppercase();
            let body = body.to_string();
            let mut stream = TcpStream::connect(self.0.address())?;
            let head = format!(
                "{verb} {path} HTTP/1.1\r\nhost: case\r\nconnection: close\r\naccept: application/json\r\n\
                 content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes())?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            let wrong = || io::Error::other("the server does not speak HTTP");
            let (head, body) = text.split_once("\r\n\r\n").ok_or_else(wrong)?;
            let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(wrong)?;
            let retry_after = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))
                .and_then(|(_, value)| value.parse().ok());
            Ok(Answered { code, retry_after, body: serde_json::from_str(body)? })
        }
    }
}

#[cfg(not(feature = "live"))]
pub(super) use in_process::Server;

#[cfg(not(feature = "live"))]
mod in_process {
    use super::{Answered, CaseError, Method, Value, World, meaningless};
    use crate::{
        api::{Reply, handle},
        http::Request,
    };

    /// The world itself.
    pub(in super::super) struct Server(World);

    impl Server {
        pub(in super::super) fn start(mut world: World) -> Result<Server, CaseError> {
            world.serve();
            Ok(Server(world))
        }

        pub(in super::super) fn pass(&mut self, span: u64) {
            self.0.advance(self.0.now() + span, None);
        }

        pub(in super::super) fn ask(
            &mut self,
            method: Method,
            path: &str,
            content_type: &str,
            body: &Value,
        ) -> Result<Answered, CaseError> {
            let body = body.to_string().into_bytes();
            let request = Request { content_type: content_type.into(), ..Request::new(method, path, body) };
            match handle(&mut self.0, &request) {
                Reply::Whole(response) => Ok(Answered {
                    code: response.code,
                    retry_after: response.header("retry-after").and_then(|value| value.parse().ok()),
                    body: serde_json::from_slice(&response.body)?,
                }),
                Reply::Watch(_) => Err(meaningless("server", "a watch where an answer was expected")),
            }
        }
    }
}
