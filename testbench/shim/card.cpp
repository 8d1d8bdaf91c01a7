// The Verilated card behind a C interface. `ports.h` is made from `src/ports.rs`: the lists INPUTS
// and OUTPUTS of ports, one F(type, name, array) each; names are those of the Verilog.
#include <cstdint>
#include <cstring>
#include <new>

#include "Vtop.h"
#include "ports.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

#define F(type, name, array) type name array;
struct Inputs {
    INPUTS(F)
};
struct Outputs {
    OUTPUTS(F)
};
#undef F

struct Card {
    VerilatedContext context;
    Vtop top;
    Card() : top(&context, "top") {}
#if VM_TRACE
    VerilatedVcdC trace;
    bool is_traced = false;
#endif
};

// A port is as wide as the card's geometry makes it, a field as wide as the widest geometry; both are
// little-endian, so the narrower one's bytes are the low ones.
template <class Port, class Field>
void put(Port& port, const Field& field) {
    std::memcpy(&port, &field, sizeof(Port) < sizeof(Field) ? sizeof(Port) : sizeof(Field));
}
template <class Port, class Field>
void get(const Port& port, Field& field) {
    std::memset(&field, 0, sizeof(Field));
    std::memcpy(&field, &port, sizeof(Port) < sizeof(Field) ? sizeof(Port) : sizeof(Field));
}

// Half a cycle.
void half(Card& card, bool clock) {
    card.top.clock = clock;
    card.top.eval();
#if VM_TRACE
    if (card.is_traced) card.trace.dump(card.context.time());
    card.context.timeInc(2000);  // A cycle of 4 ns in units of 1 ps.
#endif
}

}  // namespace

extern "C" {

// Bytes of the inputs and of the outputs, so that the caller can hold its own declarations against it.
uint64_t wiresift_layout() { return uint64_t(sizeof(Inputs)) << 32 | sizeof(Outputs); }

Card* wiresift_new() { return new (std::nothrow) Card; }

void wiresift_delete(Card* card) {
#if VM_TRACE
    if (card->is_traced) card->trace.close();
#endif
    card->top.final();
    delete card;
}

// Writes every signal to a VCD file from now on; 0 if it can.
int wiresift_trace(Card* card, const char* path) {
#if VM_TRACE
    card->context.traceEverOn(true);
    card->top.trace(&card->trace, 99);
    card->trace.open(path);
    card->is_traced = card->trace.isOpen();
    return card->is_traced ? 0 : 1;
#else
    (void)card;
    (void)path;
    return 2;
#endif
}

// One cycle: the inputs settle, the outputs are what the rising edge sees, then comes the edge.
void wiresift_step(Card* card, const Inputs* in, Outputs* out) {
#define F(type, name, array) put(card->top.name, in->name);
    INPUTS(F)
#undef F
    half(*card, false);
#define F(type, name, array) get(card->top.name, out->name);
    OUTPUTS(F)
#undef F
    half(*card, true);
}
}
