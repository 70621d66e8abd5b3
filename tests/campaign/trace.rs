//! The system calls of one run that touch files, read from what `strace -f -y -xx` wrote.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A call that succeeded.
#[derive(Debug, Clone)]
pub enum Call {
    Open {
        path: PathBuf,
        fd: i32,
        create: bool,
        truncate: bool,
        append: bool,
    },
    Close {
        fd: i32,
    },
    Write {
        fd: i32,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    /// From one file into another, inside the kernel.
    Copy {
        from: i32,
        from_at: u64,
        to: i32,
        to_at: u64,
        length: usize,
    },
    Seek {
        fd: i32,
        to: u64,
    },
    Truncate {
        fd: i32,
        length: u64,
    },
    Sync {
        fd: i32,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
}

/// The calls to record: all that change files or what is durable of them.
pub const RECORDED: &str = "openat,open,creat,close,lseek,write,pwrite64,copy_file_range,ftruncate,fsync,fdatasync,rename,renameat,\
                            renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat";

/// Reads a trace. Panics on a call that it does not understand: a campaign that leaves something out proves nothing.
pub fn read(trace: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (pid, rest) = line.split_once(' ').unwrap_or(("", line));
        let rest = rest.trim_start();
        let whole = if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(pid, start.to_owned());
            continue;
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let end = resumed.split_once("resumed>").map_or("", |(_, end)| end);
            unfinished.remove(pid).unwrap_or_default() + end
        } else {
            rest.to_owned()
        };
        if let Some(call) = parse(&whole) {
            calls.push(call);
        }
    }
    calls
}

fn parse(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ")?;
    let result: i64 = result.split([' ', '<']).next()?.parse().ok()?;
    if result < 0 {
        return None;
    }
    let arguments = split(arguments);
    let fd = |at: usize| arguments[at].split('<').next().unwrap().parse::<i32>().unwrap();
    let path = |at: usize| PathBuf::from(String::from_utf8(bytes(&arguments[at])).unwrap());
    let number = |at: usize| arguments[at].parse::<u64>().unwrap();
    // Relative to the folder of a descriptor, as `-y` tells it.
    let below = |folder: usize, at: usize| {
        let folder = arguments[folder].split_once('<').map_or("", |(_, folder)| folder.trim_end_matches('>'));
        PathBuf::from(String::from_utf8(bytes(folder)).unwrap()).join(path(at))
    };
    Some(match name {
        "open" | "openat" | "creat" => {
            let shift = usize::from(name == "openat");
            let flags = arguments.get(shift + 1).map_or("", String::as_str);
            let has = |flag: &str| flags.split('|').any(|part| part == flag);
            Call::Open {
                path: path(shift),
                fd: i32::try_from(result).unwrap(),
                create: name == "creat" || has("O_CREAT"),
                truncate: name == "creat" || has("O_TRUNC"),
                append: has("O_APPEND"),
            }
        }
        "close" => Call::Close { fd: fd(0) },
        "lseek" => Call::Seek { fd: fd(0), to: u64::try_from(result).unwrap() },
        "write" | "pwrite64" => {
            let mut bytes = bytes(&arguments[1]);
            // A short write wrote only so much.
            bytes.truncate(usize::try_from(result).unwrap());
            assert_eq!(bytes.len() as i64, result, "strace kept the whole of what was written");
            Call::Write { fd: fd(0), at: (name == "pwrite64").then(|| number(3)), bytes }
        }
        "copy_file_range" => {
            // `[0] => [4096]`: the place before the call, and after it.
            let place = |at: usize| arguments[at].trim_start_matches('[').split(']').next().unwrap().parse().unwrap();
            let length = usize::try_from(result).unwrap();
            Call::Copy { from: fd(0), from_at: place(1), to: fd(2), to_at: place(3), length }
        }
        "ftruncate" => Call::Truncate { fd: fd(0), length: number(1) },
        "fsync" | "fdatasync" => Call::Sync { fd: fd(0) },
        "rename" => Call::Rename { from: path(0), to: path(1) },
        "renameat" | "renameat2" => Call::Rename { from: path(1), to: path(3) },
        "link" => Call::Link { from: path(0), to: path(1) },
        "linkat" => Call::Link { from: path(1), to: path(3) },
        "unlink" | "rmdir" => Call::Unlink { path: path(0) },
        "unlinkat" => Call::Unlink { path: below(0, 1) },
        "mkdir" => Call::MakeFolder { path: path(0) },
        "mkdirat" => Call::MakeFolder { path: path(1) },
        other => panic!("`{other}` is recorded but not understood: {line}"),
    })
}

/// Splits arguments at commas outside of strings and of what `-y` adds.
fn split(arguments: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    // A string is what lies between two quotes: all in it is in hexadecimal. Taken as a whole, for it may be long.
    for (number, piece) in arguments.split('"').enumerate() {
        if number % 2 == 1 {
            let last = parts.last_mut().unwrap();
            *last = format!("{last}\"{piece}\"");
            continue;
        }
        let mut depth = 0;
        for c in piece.chars() {
            match c {
                '<' | '{' | '[' => depth += 1,
                '>' | '}' | ']' => depth -= 1,
                ',' if depth == 0 => {
                    parts.push(String::new());
                    continue;
                }
                _ => {}
            }
            parts.last_mut().unwrap().push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The bytes of `"\x2f\x74…"`.
fn bytes(quoted: &str) -> Vec<u8> {
    let inner = quoted.trim_start_matches('"').split('"').next().unwrap();
    let digit = |letter: u8| match letter {
        b'0'..=b'9' => letter - b'0',
        b'a'..=b'f' => letter - b'a' + 10,
        _ => panic!("`{}` is no hexadecimal digit", letter as char),
    };
    inner.as_bytes().chunks_exact(4).map(|hex| digit(hex[2]) * 16 + digit(hex[3])).collect()
}

/// Whether a path lies in a folder.
pub fn is_in(path: &Path, folder: &Path) -> bool {
    path.starts_with(folder)
}
