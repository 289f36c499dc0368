//! Images of tasks, pulled when they are missing.

use std::time::Duration;

use bollard::{auth::DockerCredentials, query_parameters::CreateImageOptionsBuilder};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::{
    answer::{is_missing, start_error},
    config::{Auth, Config},
    driver::Docker,
};
use crate::contract::StartError;

/// What a pull may take unless the job says otherwise.
const PULL_PATIENCE: Duration = Duration::from_mins(5);

impl Docker {
    /// Pulls the image of a task unless it is there.
    pub(super) async fn ensure_image(&self, config: &Config) -> Result<(), StartError> {
        let docker = self.docker()?;
        if !config.force_pull {
            match docker.inspect_image(&config.image).await {
                Ok(_) => return Ok(()),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(start_error("docker", &error)),
            }
        }
        let patience = config.image_pull_timeout.map_or(PULL_PATIENCE, schemas::duration::Duration::to_std);
        let late = |_| {
            let text = format!("pulling image {:?} took longer than {patience:?}", config.image);
            StartError::Recoverable(text)
        };
        timeout(patience, self.pull(config)).await.map_err(late)?
    }

    /// Pulls an image under the name that `auth` gives, and without one where that fails and may.
    async fn pull(&self, config: &Config) -> Result<(), StartError> {
        match self.pull_as(config, config.auth.as_ref()).await {
            Err(error) if config.auth.is_some() && config.auth_soft_fail => {
                tracing::warn!(image = config.image, "pulling without a login, after: {error}");
                self.pull_as(config, None).await
            }
            answer => answer,
        }
    }

    async fn pull_as(&self, config: &Config, auth: Option<&Auth>) -> Result<(), StartError> {
        let (name, tag) = split_image(&config.image);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let credentials = auth.map(|auth| DockerCredentials {
            username: Some(auth.username.clone()),
            password: Some(auth.password.clone()),
            email: auth.email.clone(),
            serveraddress: auth.server_address.clone(),
            ..DockerCredentials::default()
        });
        let mut progress = Box::pin(self.docker()?.create_image(Some(options), None, credentials));
        while let Some(step) = progress.next().await {
            if let Err(error) = step {
                let text =
                    format!("image {:?} is not on this node and cannot be pulled: {error}", config.image);
                return Err(StartError::Recoverable(text));
            }
        }
        Ok(())
    }
}

/// `registry:5000/name:tag`, `name@sha256:…`, or a bare name, which means `latest`.
fn split_image(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use base64::{Engine as _, engine::general_purpose::URL_SAFE};

    use super::super::shared::DockerOptions;
    use super::*;

    /// A daemon that gives images to nobody with a name; answers which pulls it saw, by whether they had one.
    async fn pulls(config: &str) -> (Result<(), String>, Vec<bool>) {
        use axum::{
            extract::Request,
            http::{HeaderValue, Method, StatusCode},
        };
        let (folder, seen) = (tempfile::tempdir().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let socket = folder.path().join("docker.sock");
        let note = seen.clone();
        let answer = move |request: Request| async move {
            if request.method() != Method::POST {
                return (StatusCode::NOT_FOUND, r#"{"message":"no such image"}"#);
            }
            let login = request.headers().get("x-registry-auth").map(HeaderValue::as_bytes);
            let login = login.and_then(|text| URL_SAFE.decode(text).ok()).unwrap_or_default();
            let has_name = String::from_utf8_lossy(&login).contains("somebody");
            note.lock().unwrap().push(has_name);
            if has_name {
                (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"unauthorized: incorrect password"}"#)
            } else {
                (StatusCode::OK, "")
            }
        };
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let daemon = tokio::spawn(async move {
            axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap();
        });
        let options = DockerOptions { socket, ..DockerOptions::new("n1", folder.path().join("state")) };
        let driver = Docker::open(options).unwrap();
        let config = Config::read(&serde_json::from_str(config).unwrap()).unwrap();
        let answer = driver.ensure_image(&config).await.map_err(|error| error.to_string());
        daemon.abort();
        let seen = seen.lock().unwrap().clone();
        (answer, seen)
    }

    #[tokio::test]
    async fn a_login_that_is_refused_may_be_left_out() {
        let (answer, seen) =
            pulls(r#"{"image": "a:1", "auth": {"username": "somebody", "password": "p"}}"#).await;
        assert!(answer.unwrap_err().contains("incorrect password"));
        assert_eq!(seen, [true]);
        let soft = r#"{"image": "a:1", "auth_soft_fail": true, "auth": {"username": "somebody"}}"#;
        assert_eq!(pulls(soft).await, (Ok(()), vec![true, false]));
        assert_eq!(pulls(r#"{"image": "a:1", "auth_soft_fail": true}"#).await, (Ok(()), vec![false]));
    }

    #[test]
    fn images_are_split_into_name_and_tag() {
        let table = [
            ("redis", ("redis", "latest")),
            ("redis:7", ("redis", "7")),
            ("host:5000/a/b", ("host:5000/a/b", "latest")),
            ("host:5000/a:1", ("host:5000/a", "1")),
            ("a@sha256:12", ("a@sha256:12", "")),
        ];
        for (image, expected) in table {
            assert_eq!(split_image(image), expected, "{image}");
        }
    }
}
