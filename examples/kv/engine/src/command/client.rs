//! The connection itself: HELLO, SELECT, QUIT, CLIENT.

use super::{Call, Failure};
use crate::limits::MAX_NAME;
use crate::resp::{Arg, Protocol};

type Done = Result<(), Failure>;

/// What is known of a connection.
#[derive(Debug)]
pub struct Client {
    id: u64,
    name: [u8; MAX_NAME],
    name_len: usize,
    pub protocol: Protocol,
    /// It has walked over many keys: others come first now.
    pub walked: bool,
    /// It is to be closed once its replies are written.
    pub closing: bool,
}

impl Client {
    /// A new connection.
    pub fn new(id: u64) -> Self {
        Self {
            id,
            name: [0; MAX_NAME],
            name_len: 0,
            protocol: Protocol::Resp2,
            walked: false,
            closing: false,
        }
    }

    fn name(&self) -> &[u8] {
        &self.name[..self.name_len]
    }
}

pub fn quit(call: &mut Call<'_, '_, '_>) -> Done {
    call.client.closing = true;
    call.ok();
    Ok(())
}

pub fn select(call: &mut Call<'_, '_, '_>) -> Done {
    if call.number()? != 0 {
        return Err(Failure::Told("-ERR DB index is out of range"));
    }
    call.ok();
    Ok(())
}

pub fn hello(call: &mut Call<'_, '_, '_>) -> Done {
    let mut protocol = call.client.protocol;
    if !call.args.is_empty() {
        let version = call.number();
        protocol = match version {
            Ok(2) => Protocol::Resp2,
            Ok(3) => Protocol::Resp3,
            Ok(_) => return Err(Failure::Told("-NOPROTO unsupported protocol version")),
            Err(_) => return Err(Failure::Told("-ERR Protocol version is not an integer or out of range")),
        };
    }
    let mut name = None;
    while !call.args.is_empty() {
        let here = call.args;
        let option = call.arg()?;
        if option.is(&call.db.store.cells, "setname") && !call.args.is_empty() {
            name = Some(call.arg()?);
        } else if option.is(&call.db.store.cells, "auth") && call.args.len() >= 2 {
            return Err(Failure::Told(
                "-ERR HELLO AUTH: this server has no users and no passwords; leave AUTH away",
            ));
        } else {
            call.args = here;
            return Err(Failure::Option("-ERR Syntax error in HELLO option '", "'"));
        }
    }
    if let Some(name) = name {
        set_name(call, name)?;
    }
    call.client.protocol = protocol;
    call.reply.protocol = protocol;
    call.reply.map(&mut call.db.store.cells, 7);
    let pairs: [(&str, Result<&str, i64>); 6] = [
        ("server", Ok("unboxed-kv")),
        ("version", Ok(env!("CARGO_PKG_VERSION"))),
        ("proto", Err(if protocol == Protocol::Resp3 { 3 } else { 2 })),
        ("id", Err(call.client.id as i64)),
        ("mode", Ok("standalone")),
        ("role", Ok("master")),
    ];
    for (key, value) in pairs {
        call.bulk(key.as_bytes());
        match value {
            Ok(text) => call.bulk(text.as_bytes()),
            Err(number) => call.integer(number),
        }
    }
    call.bulk(b"modules");
    call.array(0);
    Ok(())
}

fn set_name(call: &mut Call<'_, '_, '_>, name: Arg<'_>) -> Done {
    let mut text = [0; MAX_NAME];
    if name.len() > MAX_NAME {
        return Err(Failure::Told("-ERR Client names can have up to 64 characters"));
    }
    let len = name.prefix(&call.db.store.cells, &mut text);
    if !text[..len].iter().all(u8::is_ascii_graphic) {
        return Err(Failure::Told(
            "-ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    (call.client.name, call.client.name_len) = (text, len);
    Ok(())
}

pub fn client(call: &mut Call<'_, '_, '_>) -> Done {
    let word = call.arg()?;
    let cells = &call.db.store.cells;
    let left = call.args.len();
    if word.is(cells, "id") && left == 0 {
        call.integer(call.client.id as i64);
    } else if word.is(cells, "getname") && left == 0 {
        let (name, len) = (call.client.name, call.client.name().len());
        if len == 0 { call.null() } else { call.bulk(&name[..len]) }
    } else if word.is(cells, "setname") && left == 1 {
        let name = call.arg()?;
        set_name(call, name)?;
        call.ok();
    } else if word.is(cells, "setinfo") && left == 2 {
        set_info(call)?;
    } else if word.is(cells, "info") && left == 0 {
        tell_info(call);
    } else if word.is(cells, "help") && call.args.is_empty() {
        call.help(&[
            "CLIENT <subcommand> [<arg> ...]. Subcommands are:",
            "GETNAME",
            "    The name of this connection.",
            "ID",
            "    The number of this connection.",
            "INFO",
            "    What is known of this connection.",
            "SETINFO <lib-name|lib-ver> <text>",
            "    Taken, and not kept.",
            "SETNAME <name>",
            "    Give this connection a name.",
        ]);
    } else {
        call.no_subcommand(word, &["id", "getname", "setname", "setinfo", "info", "help"]);
    }
    Ok(())
}

fn set_info(call: &mut Call<'_, '_, '_>) -> Done {
    let option = call.arg()?;
    let cells = &call.db.store.cells;
    if !option.is(cells, "lib-name") && !option.is(cells, "lib-ver") {
        return Err(Failure::Told("-ERR Unrecognized option: lib-name and lib-ver are known"));
    }
    call.ok();
    Ok(())
}

fn tell_info(call: &mut Call<'_, '_, '_>) {
    let mut line = super::info::Text::new();
    line.add(format_args!("id={} name=", call.client.id));
    line.add_bytes(call.client.name());
    let protocol = if call.client.protocol == Protocol::Resp3 { 3 } else { 2 };
    line.add(format_args!(" db=0 resp={protocol} cmd=client|info\n"));
    super::admin::text(call, line.as_bytes());
}
