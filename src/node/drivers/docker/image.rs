//! Images of tasks, pulled when they are missing.

use std::time::Duration;

use bollard::{auth::DockerCredentials, query_parameters::CreateImageOptionsBuilder};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::{
    answer::{is_missing, start_error},
    config::Config,
    driver::Docker,
};
use crate::node::drivers::contract::StartError;

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

    async fn pull(&self, config: &Config) -> Result<(), StartError> {
        let (name, tag) = split_image(&config.image);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let credentials = config.auth.as_ref().map(|auth| DockerCredentials {
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
    use super::*;

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
