// Splits PTX text into tokens.
#pragma once

#include <string>
#include <vector>

#include "../base.h"

namespace softcuda::ptx {

struct Token {
    enum class Kind : u8 {
        word,    // names, directives (".reg"), opcodes with their modifiers ("ld.global.v4.f32"), special registers ("%tid.x")
        number,  // as written
        text,    // a string's content
        symbol,  // one character of punctuation
        end
    };
    Kind kind = Kind::end;
    std::string text;
    u32 line = 0;
    std::size_t begin = 0, end = 0;  // in the source

    bool is(char c) const { return kind == Kind::symbol && text[0] == c; }
    bool is(const char* word) const { return kind == Kind::word && text == word; }
};

// Ends with one token of Kind::end. Throws PtxError.
std::vector<Token> tokenize(const std::string& source, const std::string& module);

}  // namespace softcuda::ptx
