//! Peers: which process group a connection on loopback comes from.
//!
//! A request that is not signed, or with a key of the function's own, names no environment. Linux
//! tells which process holds the other end of its connection.

#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Returns the process group at the other end of a connection, if it is one of `groups` or its
/// process descends from one of them.
#[cfg(target_os = "linux")]
pub(crate) fn group_of(peer: SocketAddr, groups: &[i32]) -> Option<i32> {
    let table = |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).ok();
    let inode = inode(&table("tcp")?, peer, "").or_else(|| inode(&table("tcp6")?, peer, MAPPED))?;
    let holder = format!("socket:[{inode}]");
    let holds = |id: i32| {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == holder.as_str())
    };
    // Most functions are one process, the leader of its group.
    if let Some(leader) = groups.iter().find(|group| holds(**group)) {
        return Some(*leader);
    }
    let ids = std::fs::read_dir("/proc").ok()?.flatten();
    let processes: BTreeMap<i32, Process> = ids
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            Some((id, Process::parse(&stat)?))
        })
        .collect();
    // A process may have left its group for one of its own, or for a new session.
    let group = |id: i32| {
        let ancestors = std::iter::successors(processes.get(&id), |it| processes.get(&it.parent));
        ancestors.take(processes.len()).map(|it| it.group).find(|group| groups.contains(group))
    };
    processes.keys().find_map(|id| group(*id).filter(|_| holds(*id)))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn group_of(_peer: SocketAddr, _groups: &[i32]) -> Option<i32> {
    None
}

/// How the system's table begins an address of IPv4 that a socket of IPv6 is bound to.
#[cfg(target_os = "linux")]
const MAPPED: &str = "0000000000000000FFFF0000";

/// Returns the inode of the socket that is bound to an address, from the system's table.
#[cfg(target_os = "linux")]
fn inode(table: &str, address: SocketAddr, before: &str) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let ip = u32::from_le_bytes(address.ip().octets());
    let local = format!("{before}{ip:08X}:{:04X}", address.port());
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&local.as_str()))?;
    row.get(9).map(|inode| (*inode).to_owned())
}

/// What is known of a process.
#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
struct Process {
    parent: i32,
    group: i32,
}

#[cfg(target_os = "linux")]
impl Process {
    /// Reads a process's `stat`. Its name may hold blanks and brackets.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace().skip(1);
        let parent = fields.next()?.parse().ok()?;
        Some(Self { parent, group: fields.next()?.parse().ok()? })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// Connects to the port, over IPv6 if the second argument says so, and waits to be ended.
    const CLIENT: &str = "
import socket, sys
kind, host = (socket.AF_INET6, '::ffff:127.0.0.1') if sys.argv[2] == '6' else (socket.AF_INET, '127.0.0.1')
connection = socket.socket(kind)
connection.connect((host, int(sys.argv[1])))
sys.stdin.read()";

    #[test]
    fn a_connection_leads_to_the_process_group_at_its_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (_server, peer) = listener.accept().expect("accepted");
        assert_eq!(peer, client.local_addr().expect("connected"));
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        let own = Process::parse(&stat).expect("a group").group;
        assert_eq!(group_of(peer, &[1, own]), Some(own));
        assert_eq!(group_of(peer, &[1]), None);
        let process = Process { parent: 1, group: 42 };
        assert_eq!(Process::parse("7 (a ) b) S 1 42 42 0"), Some(process));
    }

    #[test]
    fn a_process_in_a_session_of_its_own_still_belongs_to_the_group_that_started_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port().to_string();
        for kind in ["4", "6"] {
            let mut command = Command::new("sh");
            command.args(["-c", "setsid python3 -c \"$0\" \"$@\"; true", CLIENT, &port, kind]);
            let mut shell =
                command.stdin(Stdio::piped()).process_group(0).spawn().expect("a shell");
            let (_server, peer) = listener.accept().expect("accepted");
            let group = i32::try_from(shell.id()).expect("an id");
            let found = group_of(peer, &[group]);
            drop(shell.stdin.take());
            shell.wait().expect("ended");
            assert_eq!(found, Some(group), "IPv{kind}");
        }
    }
}
