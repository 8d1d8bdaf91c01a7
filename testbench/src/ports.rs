//! The ports of the card's top (`docs/packet-path.md`), declared once for this crate and the shim.
//!
//! The fields are as wide as the widest geometry needs; a narrower port takes the low bits.

/// A beat of the widest geometry, low word first.
pub type Beat = [u64; 8];

macro_rules! ports {
    ($(#[$doc:meta])* $name:ident $list:literal { $($port:ident: $type:ty = $c:literal $array:literal;)* }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the names are those of AXI4 and of docs/packet-path.md")]
        pub struct $name {
            $(pub $port: $type,)*
        }

        impl $name {
            /// The list of the ports for the shim.
            pub const LIST: &'static str = concat!(
                "#define ", $list, "(F)",
                $(" \\\n    F(", $c, ", ", stringify!($port), ", ", $array, ")",)*
                "\n"
            );
        }
    };
}

ports! {
    /// What goes into the card in a cycle.
    Inputs "INPUTS" {
        reset: u8 = "uint8_t" "";
        irq_ack: u8 = "uint8_t" "";
        s_axil_awaddr: u16 = "uint16_t" "";
        s_axil_awvalid: u8 = "uint8_t" "";
        s_axil_wdata: u32 = "uint32_t" "";
        s_axil_wstrb: u8 = "uint8_t" "";
        s_axil_wvalid: u8 = "uint8_t" "";
        s_axil_bready: u8 = "uint8_t" "";
        s_axil_araddr: u16 = "uint16_t" "";
        s_axil_arvalid: u8 = "uint8_t" "";
        s_axil_rready: u8 = "uint8_t" "";
        m_axi_arready: u8 = "uint8_t" "";
        m_axi_rid: u8 = "uint8_t" "";
        m_axi_rdata: Beat = "uint64_t" "[8]";
        m_axi_rresp: u8 = "uint8_t" "";
        m_axi_rlast: u8 = "uint8_t" "";
        m_axi_rvalid: u8 = "uint8_t" "";
        m_axi_awready: u8 = "uint8_t" "";
        m_axi_wready: u8 = "uint8_t" "";
        m_axi_bid: u8 = "uint8_t" "";
        m_axi_bresp: u8 = "uint8_t" "";
        m_axi_bvalid: u8 = "uint8_t" "";
    }
}

ports! {
    /// What comes out of the card in a cycle, as the rising edge at its end sees it.
    Outputs "OUTPUTS" {
        irq_req: u8 = "uint8_t" "";
        s_axil_awready: u8 = "uint8_t" "";
        s_axil_wready: u8 = "uint8_t" "";
        s_axil_bresp: u8 = "uint8_t" "";
        s_axil_bvalid: u8 = "uint8_t" "";
        s_axil_arready: u8 = "uint8_t" "";
        s_axil_rdata: u32 = "uint32_t" "";
        s_axil_rresp: u8 = "uint8_t" "";
        s_axil_rvalid: u8 = "uint8_t" "";
        m_axi_arid: u8 = "uint8_t" "";
        m_axi_araddr: u64 = "uint64_t" "";
        m_axi_arlen: u8 = "uint8_t" "";
        m_axi_arsize: u8 = "uint8_t" "";
        m_axi_arburst: u8 = "uint8_t" "";
        m_axi_arvalid: u8 = "uint8_t" "";
        m_axi_rready: u8 = "uint8_t" "";
        m_axi_awid: u8 = "uint8_t" "";
        m_axi_awaddr: u64 = "uint64_t" "";
        m_axi_awlen: u8 = "uint8_t" "";
        m_axi_awsize: u8 = "uint8_t" "";
        m_axi_awburst: u8 = "uint8_t" "";
        m_axi_awvalid: u8 = "uint8_t" "";
        m_axi_wdata: Beat = "uint64_t" "[8]";
        m_axi_wstrb: u64 = "uint64_t" "";
        m_axi_wlast: u8 = "uint8_t" "";
        m_axi_wvalid: u8 = "uint8_t" "";
        m_axi_bready: u8 = "uint8_t" "";
    }
}

/// Sizes as `wiresift_layout` of the shim gives them.
pub const LAYOUT: u64 = (size_of::<Inputs>() as u64) << 32 | size_of::<Outputs>() as u64;
