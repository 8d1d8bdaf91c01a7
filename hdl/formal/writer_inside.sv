// Inside the writer, for the proof's ring: four lines at a base whose low half is 32'hffffff00.
    always @(*) if (running$q) begin
        assert (left$q >= 1 && left$q <= 4 && at_end$q == (left$q == 1));
        assert (address_low$q == 33'h0ffffff00 + ((4 - left$q) << 6));
        assert (ring_records$q == 16 && high$q == 32'h123);
    end
endmodule
