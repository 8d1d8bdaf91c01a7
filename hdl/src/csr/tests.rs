//! Every register of the contract, through the bus, against a plain model.

use std::collections::HashMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::csr::{Access, CONTROL_ENABLE, COUNTERS, IRQ_ARM};
use wiresift_abi::geometry::{LAB, LINE};

use super::*;
use crate::gate::{Clocked, Native, passes};

impl Clocked for Csr {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// A bus that offers address and data apart and takes answers late, by chance.
struct Bus {
    csr: Native<Csr>,
    rng: ChaCha8Rng,
}

impl Bus {
    fn new(seed: u64) -> Self {
        Self { csr: Native::new(Csr::new(&LAB)), rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn write(&mut self, offset: u16, data: u32, strobe: u32) {
        let (mut address_left, mut data_left) = (true, true);
        for _ in 0..200 {
            let uut = &mut self.csr.uut;
            // A source keeps its offer until it is taken (AXI4, A3.2.1).
            uut.s_axil_awvalid.next = address_left && (uut.s_axil_awvalid.val() || self.rng.random());
            uut.s_axil_awaddr.next = if address_left { u32::from(offset) } else { 0xfff }.to_bits();
            uut.s_axil_wvalid.next = data_left && (uut.s_axil_wvalid.val() || self.rng.random());
            uut.s_axil_wdata.next = if data_left { data } else { 0 }.to_bits();
            uut.s_axil_wstrb.next = strobe.to_bits();
            uut.s_axil_bready.next = self.rng.random();
            self.csr.settle();
            let uut = &mut self.csr.uut;
            address_left &= !(uut.s_axil_awvalid.val() && uut.s_axil_awready.val());
            data_left &= !(uut.s_axil_wvalid.val() && uut.s_axil_wready.val());
            let answered = uut.s_axil_bvalid.val() && uut.s_axil_bready.val();
            assert_eq!(uut.s_axil_bresp.val().to_u64(), 0);
            self.csr.step();
            if answered {
                assert!(!address_left && !data_left, "answered before it was whole");
                self.csr.uut.s_axil_awvalid.next = false;
                self.csr.uut.s_axil_wvalid.next = false;
                self.csr.step();
                return;
            }
        }
        panic!("no answer to a write of {offset:#x}");
    }

    fn read(&mut self, offset: u16) -> u32 {
        let mut address_left = true;
        for _ in 0..200 {
            let uut = &mut self.csr.uut;
            uut.s_axil_arvalid.next = address_left && (uut.s_axil_arvalid.val() || self.rng.random());
            uut.s_axil_araddr.next = u32::from(offset).to_bits();
            uut.s_axil_rready.next = self.rng.random();
            self.csr.settle();
            let uut = &mut self.csr.uut;
            address_left &= !(uut.s_axil_arvalid.val() && uut.s_axil_arready.val());
            let answer =
                (uut.s_axil_rvalid.val() && uut.s_axil_rready.val()).then(|| uut.s_axil_rdata.val().to_u32());
            assert_eq!(uut.s_axil_rresp.val().to_u64(), 0);
            self.csr.step();
            if let Some(answer) = answer {
                self.csr.uut.s_axil_arvalid.next = false;
                self.csr.step();
                return answer;
            }
        }
        panic!("no answer to a read of {offset:#x}");
    }
}

#[test]
fn registers_read_what_the_contract_says() {
    let mut bus = Bus::new(1);
    let mut model: HashMap<u16, u32> = HashMap::new();
    let offsets: Vec<u16> = (0..1u16 << (ADDRESS_BITS - 2)).map(|number| number * 4).collect();
    // CONTROL has its own test: the random data here never sets ENABLE.
    for round in 0..1500 {
        let offset = if round % 4 == 0 {
            offsets[bus.rng.random_range(0..offsets.len())]
        } else {
            REGISTERS[bus.rng.random_range(0..REGISTERS.len())].csr as u16
        };
        let register = REGISTERS.iter().find(|register| register.csr as u16 == offset);
        let mut data = bus.rng.random::<u32>();
        let strobe = bus.rng.random_range(0..16);
        if offset == Name::Control as u16 {
            data &= !CONTROL_ENABLE;
        }
        bus.write(offset, data, strobe);
        if register.is_some_and(|register| register.access != Access::Ro) {
            let mask =
                (0..4).filter(|byte| strobe >> byte & 1 == 1).map(|byte| 0xffu32 << (8 * byte)).sum::<u32>();
            let stored = model.entry(offset).or_default();
            *stored = (*stored & !mask) | (data & mask);
        }
        let constant = register.map_or(0, |register| fixed(register.csr, &LAB));
        assert_eq!(bus.read(offset), model.get(&offset).copied().unwrap_or(constant), "{offset:#x}");
    }
    assert_eq!(bus.read(Name::Id as u16), ID);
    assert_eq!(bus.read(Name::BeatBytes as u16), 16);
}

#[test]
fn what_the_card_says_is_read() {
    let mut bus = Bus::new(2);
    let values = [
        (Name::Status, 0x1111_1111u32),
        (Name::Error, 0x2222_2222),
        (Name::ErrorDetail, 0x3333_3333),
        (Name::H2cCidx, 0x4444_4444),
        (Name::C2hPidx, 0x5555_5555),
        (Name::IrqCount, 0x6666_6666),
    ];
    let uut = &mut bus.csr.uut;
    uut.status.next = values[0].1.to_bits();
    uut.error.next = values[1].1.to_bits();
    uut.error_detail.next = values[2].1.to_bits();
    uut.h2c_cidx.next = values[3].1.to_bits();
    uut.c2h_pidx.next = values[4].1.to_bits();
    uut.irq_count.next = values[5].1.to_bits();
    uut.counter_data.next = 0u32.to_bits();
    for (csr, value) in values {
        assert_eq!(bus.read(csr as u16), value);
    }
    // Counters are read over their own port.
    bus.csr.uut.counter_data.next = 0x0000_8001u32.to_bits();
    assert_eq!(bus.read(COUNTERS), 0x8001);
    // Every register that is not read-only reaches its port.
    for (n, csr) in
        [Name::H2cBaseLo, Name::H2cBaseHi, Name::H2cLinesLog2, Name::H2cPidx].into_iter().enumerate()
    {
        bus.write(csr as u16, 0x1000 + n as u32, 15);
    }
    for (n, csr) in
        [Name::C2hBaseLo, Name::C2hBaseHi, Name::C2hRecordsLog2, Name::C2hCidx].into_iter().enumerate()
    {
        bus.write(csr as u16, 0x2000 + n as u32, 15);
    }
    bus.write(Name::StatusBaseLo as u16, 0x3000, 15);
    bus.write(Name::StatusBaseHi as u16, 0x3001, 15);
    let uut = &bus.csr.uut;
    assert_eq!(uut.h2c_base.val().to_u64(), 0x1001_0000_1000);
    assert_eq!((uut.h2c_lines_log2.val().to_u32(), uut.h2c_pidx.val().to_u32()), (0x1002, 0x1003));
    assert_eq!(uut.c2h_base.val().to_u64(), 0x2001_0000_2000);
    assert_eq!((uut.c2h_records_log2.val().to_u32(), uut.c2h_cidx.val().to_u32()), (0x2002, 0x2003));
    assert_eq!(uut.status_base.val().to_u64(), 0x3001_0000_3000);
}

#[test]
fn enable_locks_the_rings_and_zeroes_the_indices() {
    let mut bus = Bus::new(3);
    for register in REGISTERS.iter().filter(|register| register.csr != Name::Control) {
        bus.write(register.csr as u16, 0x1234_5670, 15);
    }
    assert!(!bus.csr.uut.enable.val());
    bus.write(Name::Control as u16, CONTROL_ENABLE, 15);
    bus.csr.step();
    assert!(bus.csr.uut.enable.val());
    assert_eq!((bus.read(Name::H2cPidx as u16), bus.read(Name::C2hCidx as u16)), (0, 0));
    for register in REGISTERS.iter().filter(|register| register.csr != Name::Control) {
        bus.write(register.csr as u16, 0x0765_4320, 15);
        let expected = match register.access {
            Access::Ro => continue,
            Access::Rw => 0x0765_4320,
            Access::RwStopped => 0x1234_5670,
        };
        assert_eq!(bus.read(register.csr as u16), expected, "{}", register.name);
    }
    bus.write(Name::Control as u16, 0, 15);
    bus.write(Name::H2cBaseLo as u16, 0x5000, 15);
    assert_eq!(bus.read(Name::H2cBaseLo as u16), 0x5000);
    assert_eq!(bus.read(Name::H2cPidx as u16), 0x0765_4320, "only the start zeroes the doorbell");
}

#[test]
fn the_card_disarms_the_interrupt() {
    let mut bus = Bus::new(4);
    bus.write(Name::IrqControl as u16, IRQ_ARM, 15);
    assert!(bus.csr.uut.irq_arm.val());
    bus.csr.uut.irq_disarm.next = true;
    bus.csr.step();
    bus.csr.uut.irq_disarm.next = false;
    assert!(!bus.csr.uut.irq_arm.val());
    assert_eq!(bus.read(Name::IrqControl as u16), 0);
}

#[test]
fn it_passes_the_gate() {
    for geometry in [&LINE, &LAB] {
        passes(
            "csr",
            || Csr::new(geometry),
            3000,
            5,
            |uut, rng, _| {
                let mut offset =
                    || u32::from(REGISTERS[rng.random_range(0..REGISTERS.len())].csr as u16).to_bits();
                uut.s_axil_awaddr.next = offset();
                uut.s_axil_araddr.next = offset();
                uut.reset.next = rng.random_bool(0.005);
                uut.s_axil_awvalid.next = rng.random();
                uut.s_axil_wvalid.next = rng.random();
                uut.s_axil_wdata.next = rng.random::<u32>().to_bits();
                uut.s_axil_wstrb.next = rng.random_range(0..16u32).to_bits();
                uut.s_axil_bready.next = rng.random();
                uut.s_axil_arvalid.next = rng.random();
                uut.s_axil_rready.next = rng.random();
                uut.irq_disarm.next = rng.random_bool(0.1);
                uut.status.next = rng.random::<u32>().to_bits();
                uut.error.next = rng.random::<u32>().to_bits();
                uut.error_detail.next = rng.random::<u32>().to_bits();
                uut.h2c_cidx.next = rng.random::<u32>().to_bits();
                uut.c2h_pidx.next = rng.random::<u32>().to_bits();
                uut.irq_count.next = rng.random::<u32>().to_bits();
                uut.counter_data.next = if rng.random() { rng.random::<u32>() } else { 0 }.to_bits();
            },
        );
    }
}
