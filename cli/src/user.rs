//! The name of the user who runs the command.

use std::fs;

/// The file in which Unix systems keep their users.
const USERS: &str = "/etc/passwd";

/// Returns the user's name: from the environment, else from the system, else the number.
pub(crate) fn user_name() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    let uid = rustix::process::getuid().as_raw();
    named
        .filter(|name| !name.is_empty())
        .chain(fs::read_to_string(USERS).ok().and_then(|users| of_uid(&users, uid)))
        .next()
        .unwrap_or_else(|| format!("user {uid}"))
}

fn of_uid(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# none\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(of_uid(users, 1000).as_deref(), Some("ada"));
        assert_eq!(of_uid(users, 0).as_deref(), Some("root"));
        assert_eq!(of_uid(users, 7), None);
    }
}
