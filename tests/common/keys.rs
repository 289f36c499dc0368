//! Keys and certificates for tests, made by openssl in a folder of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// An authority with what it signed. The files go when it does.
pub(crate) struct Authority {
    folder: TempDir,
}

impl Authority {
    /// A new authority and, signed by it, `server` for 127.0.0.1 and `client`.
    pub(crate) fn new() -> Authority {
        let authority = Authority { folder: tempfile::tempdir().expect("there is room for a folder") };
        // A name of its own, or a stranger's signature would only be called wrong.
        let name = format!("/CN={}", authority.folder.path().display().to_string().replace('/', " "));
        let subject = ["-subj", &name, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"];
        let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        authority.openssl(&[&key[..], &subject].concat());
        authority.sign("server", "subjectAltName=IP:127.0.0.1");
        authority.sign("client", "extendedKeyUsage=clientAuth");
        authority
    }

    /// The path of one of its files: `ca.pem`, `server.pem`, `client.key` …
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text, for a flag.
    pub(crate) fn flag(&self, name: &str) -> String {
        self.file(name).to_str().expect("the path is plain text").to_owned()
    }

    /// A key pair that signs tokens: `token.key` and `token.pub`.
    pub(crate) fn add_token_keys(&self) {
        self.openssl(&["genrsa", "-out", "token.key", "2048"]);
        self.openssl(&["rsa", "-in", "token.key", "-pubout", "-out", "token.pub"]);
    }

    fn sign(&self, name: &str, extension: &str) {
        let file = |end: &str| format!("{name}.{end}");
        std::fs::write(self.file(&file("ext")), extension).expect("the folder can be written");
        let (key, request, signed, extensions) = (file("key"), file("csr"), file("pem"), file("ext"));
        let subject = format!("/CN={name}");
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        self.openssl(
            &[&["req"][..], &curve, &["-subj", &subject, "-keyout", &key, "-out", &request]].concat(),
        );
        let by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        let files = ["-in", &request, "-out", &signed, "-extfile", &extensions];
        self.openssl(&[&["x509", "-req"][..], &by, &files].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().expect("openssl is installed");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
