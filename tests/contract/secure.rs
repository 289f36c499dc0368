//! An etcd that asks who we are: certificates, users, tokens that end.

use std::time::Duration;

use encamp::store::{CommitError, Etcd, Login, OpenError, Options, ReadError, Store, Txn, WatchError};
use etcd_client::{Client, Permission, RoleRevokePermissionOptions};
use schemas::key::{Prefix, Revision};

use super::world::{World, next, of_etcd, one, put, under, within};
use crate::common::etcd::Etcd as Server;
use crate::common::keys::Authority;

const PASSWORD: &str = "correct-horse-battery";
/// How long a token lives here; etcd's own default is five minutes.
const TOKEN_TTL: Duration = Duration::from_secs(2);

/// The same key each time.
fn value(value: &str) -> Txn {
    one(put("/a/x", value))
}

/// The options that go with certificates of this authority.
fn trusted(authority: &Authority) -> Options {
    Options {
        ca_file: Some(authority.file("ca.pem")),
        identity_files: Some((authority.file("client.pem"), authority.file("client.key"))),
        ..short()
    }
}

fn short() -> Options {
    Options { timeout: Duration::from_secs(3), ..Options::default() }
}

fn login(user: &str, password: &str) -> Options {
    let login = Login { user: user.to_owned(), password: password.to_owned() };
    Options { login: Some(login), ..short() }
}

/// etcd that speaks TLS and wants a certificate of the client's.
async fn tls_server(authority: &Authority) -> Option<Server> {
    let (certificate, key, ca) =
        (authority.flag("server.pem"), authority.flag("server.key"), authority.flag("ca.pem"));
    let own = ["--cert-file", &certificate, "--key-file", &key];
    Server::start(&[&own[..], &["--client-cert-auth", "--trusted-ca-file", &ca]].concat()).await
}

/// Adds root and a user who may touch what is below `/encamp` alone, and switches authentication on.
async fn add_users(server: &Server) -> Client {
    let mut client = Client::connect([server.endpoint()], None).await.unwrap();
    client.user_add("root", "root-password", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.role_add("encamp").await.unwrap();
    let ours = Permission::read_write("/encamp/").with_range_end("/encamp0");
    client.role_grant_permission("encamp", ours).await.unwrap();
    client.user_add("encamp", PASSWORD, None).await.unwrap();
    client.user_grant_role("encamp", "encamp").await.unwrap();
    client.auth_enable().await.unwrap();
    let root = etcd_client::ConnectOptions::new().with_user("root", "root-password");
    Client::connect([server.endpoint()], Some(root)).await.unwrap()
}

/// The suite's world over TLS with a certificate of our own.
pub(crate) async fn over_tls() -> Option<World<Etcd>> {
    let authority = Authority::new();
    let server = tls_server(&authority).await?;
    let store = Etcd::open(&[server.endpoint()], &trusted(&authority)).await.expect("etcd answers");
    Some(of_etcd(store, (server, authority)))
}

/// The suite's world as a user with rights below our root alone.
pub(crate) async fn with_users() -> Option<World<Etcd>> {
    let server = Server::start(&[]).await?;
    add_users(&server).await;
    let store = Etcd::open(&[server.endpoint()], &login("encamp", PASSWORD)).await.expect("etcd answers");
    Some(of_etcd(store, server))
}

/// Why etcd could not be opened, in the words a person reads.
async fn refusal(server: &Server, options: &Options) -> String {
    let refused = within(Etcd::open(&[server.endpoint()], options)).await.err().expect("it is refused");
    let (what, why) = match &refused {
        OpenError::Unusable { what, why } => (what, why.clone()),
        // What may pass by itself is waited for.
        OpenError::Away { what, why } => (what, format!("{why}; later, perhaps")),
        other @ (OpenError::InUse(_) | OpenError::Damaged { .. } | OpenError::Address { .. }) => {
            panic!("the place is at fault: {other}")
        }
    };
    assert_eq!(*what, format!("etcd at {}", server.endpoint()));
    assert!(!format!("{refused} {refused:?} {options:?}").contains("correct"), "a password is printed");
    why
}

#[tokio::test]
async fn a_wrong_certificate_is_named() {
    let authority = Authority::new();
    let Some(server) = tls_server(&authority).await else { return };
    let (stranger, right) = (Authority::new(), trusted(&authority));
    let wrong_authority = Options { ca_file: Some(stranger.file("ca.pem")), ..right.clone() };
    let no_certificate = Options { identity_files: None, ..right.clone() };
    let foreign = Some((stranger.file("client.pem"), stranger.file("client.key")));
    let foreign_certificate = Options { identity_files: foreign, ..right.clone() };
    let missing = Options { ca_file: Some("/nowhere/ca.pem".into()), ..right.clone() };
    let cases = [
        ("the system's authorities", Options { is_tls: true, ..short() }),
        ("a wrong authority", wrong_authority),
        ("no certificate", no_certificate),
        ("a foreign certificate", foreign_certificate),
        ("no TLS", short()),
        ("no such file", missing),
    ];
    let mut told = String::new();
    for (case, options) in cases {
        told += &format!("{case}: {}\n", refusal(&server, &options).await);
    }
    insta::assert_snapshot!(told, @r"
    the system's authorities: invalid peer certificate: UnknownIssuer: transport error (the servers' certificate is not signed by an authority that we trust)
    a wrong authority: invalid peer certificate: UnknownIssuer: transport error (the servers' certificate is not signed by an authority that we trust)
    no certificate: it closes the connection (it may be starting, ask for a client certificate, or not speak TLS); later, perhaps
    a foreign certificate: it closes the connection (it may be starting, not accept our certificate, or not speak TLS); later, perhaps
    no TLS: it closes the connection (it may be starting, or speak TLS: then write etcds:// or name its authority); later, perhaps
    no such file: invalid arguments: cannot read /nowhere/ca.pem: No such file or directory (os error 2)
    ");
    let plain = Server::start(&[]).await.expect("etcd is installed");
    insta::assert_snapshot!(refusal(&plain, &right).await, @"it closes the connection (it may be starting, not accept our certificate, or not speak TLS); later, perhaps");
}

#[tokio::test]
async fn a_wrong_login_is_named() {
    let Some(server) = Server::start(&[]).await else { return };
    let mut told = format!("too early: {}\n", refusal(&server, &login("encamp", PASSWORD)).await);
    let mut root = add_users(&server).await;
    root.user_add("stranger", "correct-too", None).await.unwrap();
    let cases = [
        ("a wrong password", login("encamp", "correct-hoarse")),
        ("no such user", login("nobody", PASSWORD)),
        ("no login", short()),
        ("no rights", login("stranger", "correct-too")),
    ];
    for (case, options) in cases {
        told += &format!("{case}: {}\n", refusal(&server, &options).await);
    }
    insta::assert_snapshot!(told, @r"
    too early: etcdserver: authentication is not enabled (a user is configured, but etcd has authentication switched off)
    a wrong password: etcdserver: authentication failed, invalid user ID or password (etcd knows no such user with this password)
    no such user: etcdserver: authentication failed, invalid user ID or password (etcd knows no such user with this password)
    no login: etcdserver: user name is empty (etcd has authentication switched on: configure a user and its password)
    no rights: etcdserver: permission denied (the user needs a role that reads and writes everything below our root)
    ");
}

#[tokio::test]
async fn rights_that_are_taken_away_refuse_and_come_back() {
    let Some(server) = Server::start(&[]).await else { return };
    let mut root = add_users(&server).await;
    let store = Etcd::open(&[server.endpoint()], &login("encamp", PASSWORD)).await.unwrap();
    let first = store.commit(value("1")).await.unwrap();

    let range = || RoleRevokePermissionOptions::new().with_range_end("/encamp0");
    root.role_revoke_permission("encamp", "/encamp/", Some(range())).await.unwrap();
    assert_eq!(store.commit(value("2")).await, Err(CommitError::NotApplied));
    assert_eq!(store.list(&Prefix::all()).await, Err(ReadError::Unavailable));
    assert_eq!(store.watch(&under("/a/"), first).await.err(), Some(WatchError::Broken));

    let ours = Permission::read_write("/encamp/").with_range_end("/encamp0");
    root.role_grant_permission("encamp", ours).await.unwrap();
    let second = store.commit(value("2")).await.unwrap();
    let mut watch = store.watch(&under("/a/"), first).await.unwrap();
    assert_eq!(next(&mut watch).await.unwrap().revision, second);
}

#[tokio::test]
async fn a_token_that_ended_is_renewed() {
    let keys = Authority::new();
    keys.add_token_keys();
    let (private, public) = (keys.flag("token.key"), keys.flag("token.pub"));
    let ttl = TOKEN_TTL.as_secs();
    let tokens = format!("jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl={ttl}s");
    let Some(server) = Server::start(&["--auth-token", &tokens]).await else { return };
    let mut root = add_users(&server).await;
    let store = Etcd::open(&[server.endpoint()], &login("encamp", PASSWORD)).await.unwrap();
    let first = store.commit(value("1")).await.unwrap();
    let mut old_watch = store.watch(&under("/a/"), first).await.unwrap();

    // Real time, for it is etcd's clock that ends a token.
    let over = TOKEN_TTL + Duration::from_secs(1);
    tokio::time::sleep(over).await;
    let mut watch = store.watch(&under("/a/"), first).await.expect("a watch renews it");
    tokio::time::sleep(over).await;
    assert_eq!(store.list(&Prefix::all()).await.expect("a list renews it").entries.len(), 1);
    tokio::time::sleep(over).await;
    let second = store.commit(value("2")).await.expect("a commit renews it");
    assert_eq!(next(&mut watch).await.unwrap().revision, second);
    assert_eq!(next(&mut old_watch).await.unwrap().revision, second, "an open watch goes on");

    // A token is also over when somebody changes users or roles.
    root.refresh_token().await.unwrap();
    root.role_add("another").await.unwrap();
    let third = store.commit(value("3")).await.expect("a commit renews it");
    assert!(third > second);
}

#[tokio::test]
async fn tokens_that_etcd_forgot_are_renewed() {
    let Some(mut server) = Server::start(&[]).await else { return };
    add_users(&server).await;
    let store = Etcd::open(&[server.endpoint()], &login("encamp", PASSWORD)).await.unwrap();
    store.commit(value("1")).await.unwrap();
    server.kill_9();
    server.restart().await;
    within(async { while store.commit(value("2")).await.is_err() {} }).await;
    assert!(store.list(&Prefix::all()).await.unwrap().revision > Revision(1));
}
