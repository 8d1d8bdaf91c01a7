//! Writers of captures for tests, which write any field as they are told.

/// A pcap file.
pub(super) struct Pcap {
    pub(super) bytes: Vec<u8>,
    big_endian: bool,
    modified: bool,
}

impl Pcap {
    /// The header; `magic` as it reads in the file's own byte order.
    pub(super) fn new(magic: u32, big_endian: bool, link_type: u32) -> Self {
        let mut file = Self { bytes: Vec::new(), big_endian, modified: magic == 0xa1b2_cd34 };
        file.u32(magic);
        file.bytes.extend(if big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
        for field in [0, 0, 65_535, link_type] {
            file.u32(field);
        }
        file
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    pub(super) fn packet(&mut self, seconds: u32, ticks: u32, wire_length: u32, data: &[u8]) -> &mut Self {
        for field in [seconds, ticks, data.len() as u32, wire_length] {
            self.u32(field);
        }
        if self.modified {
            self.bytes.extend([0; 8]);
        }
        self.bytes.extend(data);
        self
    }
}

/// A pcapng file.
#[derive(Default)]
pub(super) struct Ng {
    pub(super) bytes: Vec<u8>,
    /// Where each block ends.
    pub(super) ends: Vec<usize>,
    big_endian: bool,
}

impl Ng {
    fn u32_bytes(&self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u16_bytes(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(super) fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32_bytes(padded as u32 + 12);
        let kind = self.u32_bytes(kind);
        self.bytes.extend(kind);
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(length);
        self.ends.push(self.bytes.len());
        self
    }

    pub(super) fn section(&mut self, big_endian: bool) -> &mut Self {
        self.big_endian = big_endian;
        let mut body = self.u32_bytes(0x1a2b_3c4d).to_vec();
        body.extend(self.u16_bytes(1));
        body.extend([0; 2]);
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    pub(super) fn interface(&mut self, link_type: u16, snap: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = self.u16_bytes(link_type).to_vec();
        body.extend([0; 2]);
        body.extend(self.u32_bytes(snap));
        for (code, value) in options {
            body.extend(self.u16_bytes(*code));
            body.extend(self.u16_bytes(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            body.extend([0; 4]);
        }
        self.block(1, &body)
    }

    pub(super) fn enhanced(&mut self, interface: u32, ticks: u64, wire: u32, data: &[u8]) -> &mut Self {
        let head = self.u32_bytes(interface).to_vec();
        self.packet(6, head, ticks, wire, data)
    }

    pub(super) fn obsolete(&mut self, interface: u16, ticks: u64, wire: u32, data: &[u8]) -> &mut Self {
        let mut head = self.u16_bytes(interface).to_vec();
        head.extend(self.u16_bytes(77));
        self.packet(2, head, ticks, wire, data)
    }

    fn packet(&mut self, kind: u32, head: Vec<u8>, ticks: u64, wire: u32, data: &[u8]) -> &mut Self {
        let mut body = head;
        for field in [(ticks >> 32) as u32, ticks as u32, data.len() as u32, wire] {
            body.extend(self.u32_bytes(field));
        }
        body.extend(data);
        self.block(kind, &body)
    }

    pub(super) fn simple(&mut self, wire: u32, data: &[u8]) -> &mut Self {
        let mut body = self.u32_bytes(wire).to_vec();
        body.extend(data);
        self.block(3, &body)
    }
}
