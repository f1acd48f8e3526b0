//! The configuration's promises: nothing unknown passes, nothing secret shows, everything is described.

use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let mut table: Table = text.parse().unwrap();
    let mut problems = key::unknown(&table);
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    problems.extend(environment::apply(&mut table, variables));
    problems.extend(secret::read_files(&mut table));
    let loaded = if problems.is_empty() { Config::from_table(table) } else { Err(problems) };
    loaded.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_defaults_are_fine() {
    assert_eq!(load("", &[]).unwrap().server.address(7070), "http://darter.localhost:7070");
}

#[test]
fn every_key_is_described_and_every_description_is_of_a_key() {
    let defaults = Table::try_from(Config::default()).unwrap();
    for (section, _, keys) in SECTIONS {
        let mut fields: Vec<&str> = defaults[*section].as_table().unwrap().keys().map(String::as_str).collect();
        let mut described: Vec<&str> = keys.iter().map(|key| key.name).collect();
        fields.sort_unstable();
        described.sort_unstable();
        assert_eq!(fields, described, "[{section}]");
        assert!(reference().contains(&format!("## `[{section}]`")));
    }
}

#[test]
fn a_problem_names_the_key_and_the_fix() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let rows: &[Row<'_>] = &[
        ("[server]\nlisten_on = 1", &[], "server.listen_on: there is no such key → did you mean listen?"),
        ("[sever]\n", &[], "sever: there is no such section → did you mean server?"),
        ("", &[("DARTER_SERVER_LISTN", "x")], "DARTER_SERVER_LISTN: there is no such key → did you mean listen?"),
        (
            "",
            &[("DARTER_ENGINE_POOL_SIZE", "many")],
            "DARTER_ENGINE_POOL_SIZE: \"many\" does not fit → write a whole number",
        ),
        ("[engine]\npool_size = 1000", &[], "engine.pool_size: 1000 is out of range → choose a number from 0 to 256"),
        (
            "[server]\ntls_key = \"/etc/hostname\"",
            &[],
            "server.tls_certificate: is missing → set both tls_certificate and tls_key, or none",
        ),
        (
            "[server]\ntls_folder = \"/nowhere\"",
            &[],
            "server.tls_folder: there is no folder /nowhere → name a folder with certificates",
        ),
        (
            "[gateway]\nstall_timeout_ms = 1",
            &[],
            "gateway.stall_timeout_ms: 1 is out of range → choose a number from 1000 to 3600000",
        ),
        ("[mail]\nhost = \"localhost\"", &[], "mail.from: \"\" is no sender → write e.g. Darter <darter@example.org>"),
        (
            "[database]\nurl = \"mysql://x\"",
            &[],
            "database.url: this is no address of a PostgreSQL database → write postgres://user:password@host/database, or nothing for SQLite",
        ),
        (
            "[mail]\npassword_file = \"/nowhere\"",
            &[],
            "mail.password_file: /nowhere: No such file or directory (os error 2) → name a file that exists and that this account may read",
        ),
        (
            "[server]\napps_domain = \"a.darter.localhost\"",
            &[],
            "server.apps_domain: a.darter.localhost and darter.localhost are the same site, so an app could reach the console's cookies → Use another domain for apps",
        ),
        (
            "[engine]\negress_deny_hosts = [\"a b\"]",
            &[],
            "engine.egress_deny_hosts: \"a b\" is not of the form example.org or *.example.org → see docs/reference/configuration.md",
        ),
        ("server = 3", &[], "server: this is not how the section is written → write [server]"),
    ];
    for (text, variables, expected) in rows {
        assert_eq!(load(text, variables).unwrap_err(), [*expected], "{text} {variables:?}");
    }
    let wrong_type = load("[server]\nlisten = \"here\"", &[]).unwrap_err();
    assert!(wrong_type[0].starts_with("server.listen: "), "{wrong_type:?}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = [
        ("DARTER_SERVER_DOMAIN", "b.example"),
        ("DARTER_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("DARTER_URL", "x"),
    ];
    let config = load("[server]\ndomain = \"a.example\"", &variables).unwrap();
    assert_eq!(config.server.domain, "b.example");
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8", "::1"]);
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let folder = std::env::temp_dir().join(format!("darter-secret-{}", std::process::id()));
    std::fs::write(&folder, "hunter2\n").unwrap();
    let text = format!("[mail]\nusername = \"u\"\npassword_file = {:?}", folder.display().to_string());
    let config = load(&text, &[]).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(config.mail.password.reveal(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!toml::to_string(&config).unwrap().contains("hunter2"));
}

#[test]
fn a_provider_without_its_credentials_is_refused() {
    let text = "[[providers]]\nid = \"a\"\nkind = \"oidc\"\nissuer = \"https://id.example\"\nclient_id = \"x\"\n";
    assert!(load(text, &[]).unwrap_err()[0].starts_with("providers[0].client_secret: "));
    assert!(load(&format!("{text}client_secret = \"y\"\n"), &[]).is_ok());
    assert!(
        load(&format!("{text}client_secrt = \"y\"\n"), &[]).unwrap_err()[0].contains("did you mean client_secret?")
    );
}

#[test]
fn the_address_is_what_clients_see() {
    let server = |https, port| Server { public_https: https, public_port: port, ..Server::default() };
    for (https, port, address) in [
        (false, 0, "http://darter.localhost:7070"),
        (false, 80, "http://darter.localhost"),
        (true, 0, "https://darter.localhost"),
        (true, 8443, "https://darter.localhost:8443"),
    ] {
        assert_eq!(server(https, port).address(7070), address);
    }
}
