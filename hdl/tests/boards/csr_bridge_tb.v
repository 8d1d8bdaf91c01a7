// csr_bridge between a host that reads and writes registers, also in ways it must not, and a register file on AXI4-Lite
// that takes its time. Single accesses reach the register that they name, everything else is SLVERR and reaches none.
`timescale 1ns / 1ps
module csr_bridge_tb;
    reg clock = 0, reset = 1;
    always #2 clock = ~clock;

    reg [3:0] awid = 0, arid = 0;
    reg [63:0] awaddr = 0, araddr = 0;
    reg [7:0] awlen = 0, arlen = 0;
    reg [2:0] awsize = 2, arsize = 2;
    reg awvalid = 0, wvalid = 0, wlast = 0, bready = 0, arvalid = 0, rready = 0;
    reg [511:0] wdata = 0;
    reg [63:0] wstrb = 0;
    wire awready, wready, bvalid, arready, rvalid, rlast;
    wire [3:0] bid, rid;
    wire [1:0] bresp, rresp;
    wire [511:0] rdata;
    wire [11:0] l_awaddr, l_araddr;
    wire l_awvalid, l_wvalid, l_bready, l_arvalid, l_rready;
    wire [31:0] l_wdata;
    wire [3:0] l_wstrb;
    reg l_awready = 0, l_wready = 0, l_bvalid = 0, l_arready = 0, l_rvalid = 0;
    reg [31:0] l_rdata = 0;

    csr_bridge uut (
        .clock(clock), .reset(reset),
        .s_axi_awid(awid), .s_axi_awaddr(awaddr), .s_axi_awlen(awlen), .s_axi_awsize(awsize), .s_axi_awvalid(awvalid),
        .s_axi_awready(awready), .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wlast(wlast), .s_axi_wvalid(wvalid),
        .s_axi_wready(wready), .s_axi_bid(bid), .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
        .s_axi_arid(arid), .s_axi_araddr(araddr), .s_axi_arlen(arlen), .s_axi_arsize(arsize), .s_axi_arvalid(arvalid),
        .s_axi_arready(arready), .s_axi_rid(rid), .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rlast(rlast),
        .s_axi_rvalid(rvalid), .s_axi_rready(rready),
        .m_axil_awaddr(l_awaddr), .m_axil_awvalid(l_awvalid), .m_axil_awready(l_awready), .m_axil_wdata(l_wdata),
        .m_axil_wstrb(l_wstrb), .m_axil_wvalid(l_wvalid), .m_axil_wready(l_wready), .m_axil_bresp(2'b00),
        .m_axil_bvalid(l_bvalid), .m_axil_bready(l_bready), .m_axil_araddr(l_araddr), .m_axil_arvalid(l_arvalid),
        .m_axil_arready(l_arready), .m_axil_rdata(l_rdata), .m_axil_rresp(2'b00), .m_axil_rvalid(l_rvalid),
        .m_axil_rready(l_rready)
    );

    // The register file: address and data come in either order, answers after some cycles.
    reg [31:0] file [0:1023];
    reg has_address = 0, has_data = 0;
    reg [11:0] address, r_address;
    reg [31:0] data;
    reg [3:0] strobe;
    reg asked = 0;
    integer writes = 0, reads = 0, n;
    initial for (n = 0; n < 1024; n = n + 1) file[n] = 0;
    always @(posedge clock) begin
        l_awready <= $urandom % 3 == 0;
        l_wready <= $urandom % 3 == 0;
        l_arready <= $urandom % 3 == 0;
        if (l_awvalid && l_awready) begin address = l_awaddr; has_address = 1; end
        if (l_wvalid && l_wready) begin data = l_wdata; strobe = l_wstrb; has_data = 1; end
        if (l_bvalid && l_bready) l_bvalid <= 0;
        if (has_address && has_data && !l_bvalid && $urandom % 4 == 0) begin
            for (n = 0; n < 4; n = n + 1) if (strobe[n]) file[address[11:2]][n*8 +: 8] = data[n*8 +: 8];
            writes = writes + 1;
            {has_address, has_data} = 0;
            l_bvalid <= 1;
        end
        if (l_rvalid && l_rready) l_rvalid <= 0;
        if (l_arvalid && l_arready) begin r_address = l_araddr; asked = 1; end
        if (asked && !l_rvalid && $urandom % 4 == 0) begin
            l_rdata <= file[r_address[11:2]];
            l_rvalid <= 1;
            reads = reads + 1;
            asked = 0;
        end
    end

    // The host, with the contents that it expects.
    reg [31:0] expected [0:1023];
    integer errors = 0, good_writes = 0, good_reads = 0, k, lane, beats, word;
    task fail(input [511:0] text);
        begin
            $display("FAILED: %0s", text);
            errors = errors + 1;
        end
    endtask
    task write(input [63:0] at, input [7:0] len, input [2:0] size, input [31:0] value, input [3:0] bytes);
        begin
            awaddr = at; awlen = len; awsize = size; awid = $urandom;
            lane = at[5:2];
            @(negedge clock) awvalid = 1;
            while (!awready) @(negedge clock);
            @(negedge clock) awvalid = 0;
            for (k = 0; k <= len; k = k + 1) begin
                wdata = {16{$urandom}};
                wstrb = 0;
                wdata[lane*32 +: 32] = value;
                wstrb[lane*4 +: 4] = bytes;
                wlast = k == len;
                wvalid = 1;
                while (!wready) @(negedge clock);
                @(negedge clock) wvalid = 0;
                if ($urandom % 2) @(negedge clock);
            end
            while (!bvalid) @(negedge clock);
            if ($urandom % 2) @(negedge clock);
            if (bid !== awid) fail("BID");
            if (bresp !== (len == 0 && size <= 2 ? 2'b00 : 2'b10)) fail("BRESP");
            bready = 1;
            @(negedge clock) bready = 0;
        end
    endtask
    task read(input [63:0] at, input [7:0] len, input [2:0] size);
        begin
            araddr = at; arlen = len; arsize = size; arid = $urandom;
            @(negedge clock) arvalid = 1;
            while (!arready) @(negedge clock);
            @(negedge clock) arvalid = 0;
            for (beats = 0; beats <= len; beats = beats + 1) begin
                while (!rvalid) @(negedge clock);
                if ($urandom % 2) @(negedge clock);
                if (rid !== arid) fail("RID");
                if (rlast !== (beats == len)) fail("RLAST");
                if (len == 0 && size <= 2) begin
                    if (rresp !== 0) fail("RRESP");
                    if (rdata[at[5:2]*32 +: 32] !== expected[at[11:2]]) fail("RDATA");
                end else if (rresp !== 2'b10) fail("RRESP of what must not be");
                rready = 1;
                @(negedge clock) rready = 0;
            end
        end
    endtask

    initial begin
        for (k = 0; k < 1024; k = k + 1) expected[k] = 0;
        repeat (8) @(negedge clock);
        reset = 0;
        for (word = 0; word < 3000; word = word + 1) begin : one
            reg [63:0] at;
            reg [31:0] value;
            reg [3:0] bytes;
            integer b;
            at = {$urandom, 20'd0, 12'd0} | ($urandom % 1024) << 2;
            value = $urandom;
            bytes = $urandom % 4 == 0 ? $urandom : 4'hf;
            case ($urandom % 8)
                0: write(at, 1 + $urandom % 3, 2, value, bytes);
                1: read(at, 1 + $urandom % 3, 2);
                2: read(at, 0, 3);
                3: write(at, 0, 6, value, bytes);
                4, 5: begin
                    write(at, 0, 2, value, bytes);
                    for (b = 0; b < 4; b = b + 1) if (bytes[b]) expected[at[11:2]][b*8 +: 8] = value[b*8 +: 8];
                    good_writes = good_writes + 1;
                end
                default: begin read(at, 0, 2); good_reads = good_reads + 1; end
            endcase
        end
        for (k = 0; k < 1024; k = k + 1) if (file[k] !== expected[k]) fail("a register");
        if (writes != good_writes || reads != good_reads) fail("accesses that must not come through");
        if (errors == 0) $display("PASSED: %0d writes, %0d reads", writes, reads);
        $finish;
    end
    initial #4000000 begin fail("it hangs"); $finish; end
endmodule
