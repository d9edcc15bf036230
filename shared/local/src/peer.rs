//! Peers: which process group a connection on loopback comes from.
//!
//! A request that is not signed, or with a key of the function's own, names no environment. Linux
//! tells which process holds the other end of its connection.

use std::net::SocketAddr;

/// Returns the process group at the other end of a connection, if it is one of `groups`.
#[cfg(target_os = "linux")]
pub(crate) fn group_of(peer: SocketAddr, groups: &[i32]) -> Option<i32> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let holder = format!("socket:[{}]", inode(&table, peer)?);
    let holds = |pid: &str| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == holder.as_str())
    };
    // Most functions are one process, the leader of its group.
    if let Some(leader) = groups.iter().find(|group| holds(&group.to_string())) {
        return Some(*leader);
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().into_string().ok());
    ids.find_map(|pid| {
        let group = process_group(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        (groups.contains(&group) && holds(&pid)).then_some(group)
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn group_of(_peer: SocketAddr, _groups: &[i32]) -> Option<i32> {
    None
}

/// Returns the inode of the socket that is bound to an address, from the system's table.
#[cfg(target_os = "linux")]
fn inode(table: &str, address: SocketAddr) -> Option<&str> {
    let SocketAddr::V4(address) = address else { return None };
    let ip = u32::from_le_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&local.as_str()))?;
    row.get(9).copied()
}

/// Returns the process group in a process's `stat`. Its name may hold blanks and brackets.
#[cfg(target_os = "linux")]
fn process_group(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(2)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_leads_to_the_process_group_at_its_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (_server, peer) = listener.accept().expect("accepted");
        assert_eq!(peer, client.local_addr().expect("connected"));
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        let own = process_group(&stat).expect("a group");
        assert_eq!(group_of(peer, &[1, own]), Some(own));
        assert_eq!(group_of(peer, &[1]), None);
        assert_eq!(process_group("7 (a ) b) S 1 42 42 0"), Some(42));
    }
}
