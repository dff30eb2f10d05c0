use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::Proxy;

/// Far longer than a byte takes through this machine, and short enough to wait for nothing to come.
const NOTHING_CAME: Duration = Duration::from_millis(150);

#[test]
fn passes_both_ways() {
    let (_proxy, mut client, mut server) = pair();
    assert_eq!(through(&mut client, &mut server), "x");
    assert_eq!(through(&mut server, &mut client), "x");
}

#[test]
fn hanging_answers_holds_them_back_and_lets_requests_through() {
    let (proxy, mut client, mut server) = pair();
    proxy.hang_answers();
    assert_eq!(through(&mut client, &mut server), "x");
    assert_eq!(through(&mut server, &mut client), "nothing");
    proxy.resume();
    assert_eq!(receive(&mut client), "x");
}

#[test]
fn hanging_requests_holds_them_back_and_lets_answers_through() {
    let (proxy, mut client, mut server) = pair();
    proxy.hang_requests();
    assert_eq!(through(&mut client, &mut server), "nothing");
    assert_eq!(through(&mut server, &mut client), "x");
}

#[test]
fn an_end_of_the_connection_does_not_get_past_a_hang() {
    let (proxy, mut client, server) = pair();
    proxy.hang_answers();
    drop(server);
    assert_eq!(receive(&mut client), "nothing");
    proxy.resume();
    assert_eq!(receive(&mut client), "end");
}

#[test]
fn a_cut_loses_what_was_held_back() {
    let (proxy, mut client, mut server) = pair();
    proxy.hang_answers();
    assert_eq!(through(&mut server, &mut client), "nothing");
    proxy.cut();
    assert_eq!(receive(&mut client), "end");
    let mut refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    assert_eq!(receive(&mut refused), "end");
}

#[test]
fn a_delay_holds_each_piece_up_by_the_same_time() {
    let (proxy, mut client, mut server) = pair();
    let delay = Duration::from_millis(100);
    proxy.delay_answers(delay);
    client.set_read_timeout(None).unwrap();
    let started = Instant::now();
    server.write_all(b"x").unwrap();
    assert_eq!(receive(&mut client), "x");
    assert!(started.elapsed() >= delay);
}

#[test]
fn frozen_connections_pass_nothing_on_while_new_ones_work() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap().to_string()).unwrap();
    let connect = || {
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(NOTHING_CAME)).unwrap();
        (client, server)
    };
    let (mut old, mut old_server) = connect();
    proxy.freeze_connections();
    let (mut new, mut new_server) = connect();
    assert_eq!(through(&mut old_server, &mut old), "nothing");
    assert_eq!(through(&mut new_server, &mut new), "x");
    proxy.resume();
    assert_eq!(receive(&mut old), "x");
}

#[test]
fn dropping_it_closes_its_connections() {
    let (proxy, mut client, _server) = pair();
    drop(proxy);
    assert_eq!(receive(&mut client), "end");
}

/// A proxy and the two ends of a connection through it.
fn pair() -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap().to_string()).unwrap();
    let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(NOTHING_CAME)).unwrap();
    }
    (proxy, client, server)
}

fn through(from: &mut TcpStream, to: &mut TcpStream) -> &'static str {
    from.write_all(b"x").unwrap();
    receive(to)
}

fn receive(end: &mut TcpStream) -> &'static str {
    match end.read(&mut [0; 16]) {
        Ok(0) => "end",
        Ok(_) => "x",
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => "nothing",
        Err(_) => "end",
    }
}
