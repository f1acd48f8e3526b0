//! Just enough DNS to prove a domain: TXT and CNAME of one name, asked of the system's resolvers.
//!
//! An answer is hostile: every length is checked, names end after a bounded number of jumps, and only an answer to the
//! very question (id, name, type) counts. What a resolver says is used for nothing but comparing with a challenge.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use darter_core::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

const TXT: u16 = 16;
const CNAME: u16 = 5;
const TIMEOUT: Duration = Duration::from_secs(3);

/// Looks names up.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The texts of a name's TXT records.
    async fn txt(&self, name: &str) -> io::Result<Vec<String>>;
    /// Where a name's CNAME points to.
    async fn cname(&self, name: &str) -> io::Result<Option<String>>;
}

/// The resolvers of `/etc/resolv.conf`, one after the other.
pub struct SystemResolver {
    random: Arc<dyn Random>,
}

impl SystemResolver {
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self { random }
    }

    async fn ask(&self, name: &str, kind: u16) -> io::Result<Vec<Record>> {
        let servers = servers(&tokio::fs::read_to_string("/etc/resolv.conf").await.unwrap_or_default());
        let mut last = io::Error::new(io::ErrorKind::NotConnected, "/etc/resolv.conf names no name server");
        for server in servers {
            match tokio::time::timeout(TIMEOUT, self.ask_one(server, name, kind)).await {
                Ok(Ok(records)) => return Ok(records),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "the name server did not answer"),
            }
        }
        Err(last)
    }

    async fn ask_one(&self, server: SocketAddr, name: &str, kind: u16) -> io::Result<Vec<Record>> {
        let mut id = [0u8; 2];
        self.random.fill(&mut id);
        let question = question(id, name, kind)?;
        let local: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(server).await?;
        socket.send(&question).await?;
        let mut buffer = vec![0u8; 4_096];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let Some(answer) = matching(&buffer[..length], &question) else { continue };
            if answer[2] & 2 != 0 {
                return records(&over_tcp(server, &question).await?, question.len(), kind);
            }
            return records(answer, question.len(), kind);
        }
    }
}

#[async_trait]
impl Resolver for SystemResolver {
    async fn txt(&self, name: &str) -> io::Result<Vec<String>> {
        let records = self.ask(name, TXT).await?;
        Ok(records.into_iter().map(|Record(text)| text).collect())
    }

    async fn cname(&self, name: &str) -> io::Result<Option<String>> {
        Ok(self.ask(name, CNAME).await?.into_iter().next().map(|Record(name)| name))
    }
}

/// For [`crate::hostile`]: an answer to a question of ours, whatever follows the question in it.
pub(super) fn read_hostile(tail: &[u8]) {
    let Ok(mut packet) = question([1, 2], "a.b", TXT) else { return };
    let question = packet.clone();
    packet[2] |= 0x80;
    if let Some((counts, tail)) = tail.split_first_chunk::<2>() {
        packet[6..8].copy_from_slice(counts);
        packet.extend_from_slice(tail);
    }
    if let Some(answer) = matching(&packet, &question) {
        let _ = records(answer, question.len(), TXT);
        let _ = records(answer, question.len(), CNAME);
    }
}

struct Record(String);

fn servers(config: &str) -> Vec<SocketAddr> {
    let addresses = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    addresses.take(3).map(|address| SocketAddr::new(address, 53)).collect()
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&(question.len() as u16).to_be_bytes()).await?;
    stream.write_all(question).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0u8; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    match matching(&answer, question) {
        Some(_) => Ok(answer),
        None => Err(broken()),
    }
}

fn question(id: [u8; 2], name: &str, kind: u16) -> io::Result<Vec<u8>> {
    let mut packet = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length)).ok_or_else(broken)?;
        packet.push(length);
        packet.extend(label.bytes());
    }
    packet.push(0);
    packet.extend(kind.to_be_bytes());
    packet.extend(1u16.to_be_bytes());
    Ok(packet)
}

/// The answer when it belongs to the question.
fn matching<'a>(answer: &'a [u8], question: &[u8]) -> Option<&'a [u8]> {
    let same = answer.len() >= question.len()
        && answer[..2] == question[..2]
        && answer[2] & 0x80 != 0
        && answer[4..6] == [0, 1]
        && answer[12..question.len()].eq_ignore_ascii_case(&question[12..]);
    same.then_some(answer)
}

fn records(answer: &[u8], start: usize, kind: u16) -> io::Result<Vec<Record>> {
    match answer[3] & 15 {
        0 | 3 => {}
        code => return Err(io::Error::other(format!("the name server failed with code {code}"))),
    }
    let count = u16::from_be_bytes([answer[6], answer[7]]);
    let mut at = start;
    let mut found = Vec::new();
    for _ in 0..count.min(100) {
        at = read_name(answer, at)?.1;
        let head = answer.get(at..at + 10).ok_or_else(broken)?;
        let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let data = answer.get(at + 10..at + 10 + length).ok_or_else(broken)?;
        if u16::from_be_bytes([head[0], head[1]]) == kind {
            found.push(Record(if kind == TXT { text(data)? } else { read_name(answer, at + 10)?.0 }));
        }
        at += 10 + length;
    }
    Ok(found)
}

/// The parts of one TXT record, joined.
fn text(mut data: &[u8]) -> io::Result<String> {
    let mut joined = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (part, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(broken)?;
        joined.extend_from_slice(part);
        data = rest;
    }
    Ok(String::from_utf8_lossy(&joined).into_owned())
}

/// A name, and where it ends in the packet.
fn read_name(packet: &[u8], start: usize) -> io::Result<(String, usize)> {
    let (mut at, mut end, mut jumps) = (start, None, 0);
    let mut name = String::new();
    loop {
        let length = usize::from(*packet.get(at).ok_or_else(broken)?);
        match length {
            0 => return Ok((name.to_ascii_lowercase(), end.unwrap_or(at + 1))),
            1..=63 => {
                let label = packet.get(at + 1..at + 1 + length).ok_or_else(broken)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label));
                at += 1 + length;
            }
            192..=255 => {
                let low = usize::from(*packet.get(at + 1).ok_or_else(broken)?);
                end = end.or(Some(at + 2));
                at = ((length & 63) << 8) | low;
                jumps += 1;
            }
            _ => return Err(broken()),
        }
        if jumps > 16 || name.len() > 255 {
            return Err(broken());
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the name server's answer makes no sense")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(question: &[u8], kind: u16, data: &[&[u8]]) -> Vec<u8> {
        let mut packet = question.to_vec();
        packet[2] |= 0x80;
        packet[7] = u8::try_from(data.len()).unwrap();
        for data in data {
            packet.extend([0xc0, 12]);
            packet.extend(kind.to_be_bytes());
            packet.extend([0, 1, 0, 0, 0, 60]);
            packet.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            packet.extend_from_slice(data);
        }
        packet
    }

    fn texts(packet: &[u8], question: &[u8], kind: u16) -> Vec<String> {
        let answer = matching(packet, question).unwrap();
        records(answer, question.len(), kind).unwrap().into_iter().map(|Record(text)| text).collect()
    }

    #[test]
    fn texts_in_several_parts_are_joined() {
        let question = question([1, 2], "_darter.example.org", TXT).unwrap();
        let packet = answer(&question, TXT, &[b"\x03abc\x02de", b"\x01x"]);
        assert_eq!(texts(&packet, &question, TXT), ["abcde", "x"]);
    }

    #[test]
    fn a_name_may_point_back_into_the_packet() {
        let question = question([1, 2], "shop.example.org", CNAME).unwrap();
        let packet = answer(&question, CNAME, &[b"\x03App\xc0\x11"]);
        assert_eq!(texts(&packet, &question, CNAME), ["app.example.org"]);
    }

    #[test]
    fn an_answer_to_another_question_is_not_ours() {
        let question = question([1, 2], "example.org", TXT).unwrap();
        let other_id = answer(&super::question([1, 3], "example.org", TXT).unwrap(), TXT, &[]);
        let other_name = answer(&super::question([1, 2], "example.com", TXT).unwrap(), TXT, &[]);
        assert!(matching(&other_id, &question).is_none() && matching(&other_name, &question).is_none());
        assert!(matching(&question, &question).is_none(), "a question is not an answer");
    }

    #[test]
    fn a_name_that_points_at_itself_ends() {
        let question = question([1, 2], "a.b", CNAME).unwrap();
        let end = question.len() + 12;
        let packet = answer(&question, CNAME, &[&[0xc0, u8::try_from(end).unwrap()]]);
        assert!(records(&packet, question.len(), CNAME).is_err());
    }

    #[test]
    fn the_systems_servers_are_read() {
        let found = servers("# c\nnameserver 10.0.0.1\nsearch x\n nameserver ::1\nnameserver no\n");
        assert_eq!(found, ["10.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    }

    proptest! {
        #[test]
        fn no_packet_makes_the_reader_panic(tail in proptest::collection::vec(any::<u8>(), 0..200), count in 0u8..20) {
            let question = question([1, 2], "a.b", TXT).unwrap();
            let mut packet = answer(&question, TXT, &[]);
            packet[7] = count;
            packet.extend(tail);
            let _ = records(&packet, question.len(), TXT);
            let _ = records(&packet, question.len(), CNAME);
        }
    }
}
