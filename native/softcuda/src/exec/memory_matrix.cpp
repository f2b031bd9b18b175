// ldmatrix, stmatrix and movmatrix: 8 x 8 matrices of 16-bit numbers between shared memory and the registers of a warp.
//
// Lane 8 m + r gives the address of row r of matrix m (16 bytes). Of each matrix, lane l holds the numbers 2 (l % 4) and the next of row
// l / 4 in one register; with .trans rows and columns are swapped.
#include <cstring>

#include "../check/checker.h"
#include "families.h"
#include "flow_control.h"
#include "memory_places.h"

namespace softcuda {
namespace {

using ptx::Operand;
using ptx::Type;

constexpr u32 kRows = 8, kRowBytes = 16;
using Matrix = u16[kRows][kRows];

// op: base of the address; op[1]: matrices, op[2]: whether the base is wide, op[3]: transposed; imm: offset.
void placeRows(Warp& w, const Inst* i, Access access, const u8* values, Places& places) {
    if (settings().checked() && w.mask != liveLanes(w)) {
        u32 absent = liveLanes(w) & ~w.mask;
        tell(Finding::badCollective, w, i, static_cast<u32>(__builtin_ctz(absent)), "this lane does not execute the instruction");
    }
    u64 addresses[kLanes];
    for (u32 l = 0; l < kLanes; l++) {
        addresses[l] = addressOf(w, i->op[0], i->op[2] != 0, i->imm, l);
        if (i->op[2] == 0) addresses[l] = static_cast<u32>(addresses[l]);
    }
    u32 mask = w.mask, rows = i->op[1] * kRows;
    w.mask &= rows == kLanes ? kAllLanes : (1u << rows) - 1;
    reinterpret_cast<PlaceAll>(const_cast<void*>(i->form))(w, i, addresses, kRowBytes, access, values, places);
    w.mask = mask;
}

u32 pairOf(const Matrix& matrix, u32 lane, bool transposed) {
    u32 row = lane / 4, column = 2 * (lane % 4);
    u16 low = transposed ? matrix[column][row] : matrix[row][column];
    u16 high = transposed ? matrix[column + 1][row] : matrix[row][column + 1];
    return low | static_cast<u32>(high) << 16;
}

void putPair(Matrix& matrix, u32 lane, bool transposed, u32 pair) {
    u32 row = lane / 4, column = 2 * (lane % 4);
    (transposed ? matrix[column][row] : matrix[row][column]) = static_cast<u16>(pair);
    (transposed ? matrix[column + 1][row] : matrix[row][column + 1]) = static_cast<u16>(pair >> 16);
}

const Inst* loadMatrix(Warp& w, const Inst* i) {
    Places places;
    placeRows(w, i, Access::read, nullptr, places);
    for (u32 m = 0; m < i->op[1]; m++) {
        Matrix matrix = {};
        for (u32 r = 0; r < kRows; r++)
            if (places.mask >> (m * kRows + r) & 1) std::memcpy(matrix[r], places.at[m * kRows + r], kRowBytes);
        forLanes(w.mask, w.r<u32>(i->list[m]), [&](u32 l) { return pairOf(matrix, l, i->op[3] != 0); });
    }
    return i + 1;
}

const Inst* storeMatrix(Warp& w, const Inst* i) {
    Matrix matrices[4];
    for (u32 m = 0; m < i->op[1]; m++)
        for (u32 l = 0; l < kLanes; l++) putPair(matrices[m], l, i->op[3] != 0, w.r<u32>(i->list[m])[l]);
    Places places;
    placeRows(w, i, Access::write, reinterpret_cast<const u8*>(matrices), places);
    for (u32 m = 0; m < i->op[1]; m++)
        for (u32 r = 0; r < kRows; r++)
            if (places.mask >> (m * kRows + r) & 1) std::memcpy(places.at[m * kRows + r], matrices[m][r], kRowBytes);
    return i + 1;
}

const Inst* transposeMatrix(Warp& w, const Inst* i) {
    Matrix matrix;
    const u32* from = w.r<u32>(i->op[1]);
    for (u32 l = 0; l < kLanes; l++) putPair(matrix, l, false, from[l]);
    forLanes(w.mask, w.r<u32>(i->op[0]), [&](u32 l) { return pairOf(matrix, l, true); });
    return i + 1;
}

void bindRows(Binder& b, bool store) {
    const auto& in = b.in();
    if (in.operands.size() != 2) throw b.unsupported("wrong number of operands");
    const Operand &address = in.operands[store ? 0 : 1], &registers = in.operands[store ? 1 : 0];
    u32 count = in.has("x1") ? 1 : in.has("x2") ? 2 : in.has("x4") ? 4 : 0;
    std::vector<Operand> elements = registers.kind == Operand::Kind::vector ? registers.parts : std::vector<Operand>{registers};
    if (!in.has("sync") || !in.has("aligned") || !in.has("m8n8") || !in.has("b16") || count == 0 || elements.size() != count)
        throw b.unsupported();
    AddressOperand base = b.address(0, address);
    for (const Operand& element : elements)
        if ((store ? b.listRead(element, Type::b32) : b.listWrite(element, Type::b32)) != 32) throw b.unsupported("registers have 32 bits");
    b.out().op[1] = count;
    b.out().op[2] = base.wide;
    b.out().op[3] = in.has("trans");
    b.out().imm = base.offset;
    b.out().form = reinterpret_cast<const void*>(placesOf(b));
    b.out().run = store ? storeMatrix : loadMatrix;
}

}  // namespace

bool bindSharedMatrix(Binder& b) {
    const auto& in = b.in();
    if (in.opcode == "ldmatrix" || in.opcode == "stmatrix") {
        bindRows(b, in.opcode == "stmatrix");
    } else if (in.opcode == "movmatrix") {
        if (!in.has("sync") || !in.has("aligned") || !in.has("trans") || !in.has("m8n8") || !in.has("b16")) throw b.unsupported();
        b.write(0, in.operands.at(0), Type::b32);
        b.read(1, in.operands.at(1), Type::b32);
        b.out().run = transposeMatrix;
    } else {
        return false;
    }
    return true;
}

}  // namespace softcuda
