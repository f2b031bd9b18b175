#include "lexer.h"

#include <cctype>

namespace softcuda::ptx {
namespace {

bool startsWord(char c) { return std::isalpha(static_cast<u8>(c)) || c == '_' || c == '$' || c == '%' || c == '.'; }
bool insideWord(char c) { return std::isalnum(static_cast<u8>(c)) || c == '_' || c == '$' || c == '.'; }

class Lexer {
public:
    Lexer(const std::string& source, const std::string& module) : source_(source), module_(module) {}

    std::vector<Token> run() {
        while (skipBlank()) tokens_.push_back(next());
        Token end;
        end.line = line_;
        tokens_.push_back(end);
        return std::move(tokens_);
    }

private:
    char at(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

    [[noreturn]] void fail(const std::string& what) const { throw PtxError(module_ + ":" + std::to_string(line_) + ": " + what); }

    bool skipBlank() {
        for (;;) {
            char c = at();
            if (at_ >= source_.size() || c == '\0') return false;
            if (c == '\n') {
                line_++;
                at_++;
            } else if (std::isspace(static_cast<u8>(c))) {
                at_++;
            } else if (c == '/' && at(1) == '/') {
                while (at_ < source_.size() && at() != '\n') at_++;
            } else if (c == '/' && at(1) == '*') {
                skipComment();
            } else {
                return true;
            }
        }
    }

    void skipComment() {
        at_ += 2;
        while (!(at() == '*' && at(1) == '/')) {
            if (at_ >= source_.size()) fail("a comment that does not end");
            if (at() == '\n') line_++;
            at_++;
        }
        at_ += 2;
    }

    Token next() {
        Token token;
        token.line = line_;
        token.begin = at_;
        char c = at();
        if (std::isdigit(static_cast<u8>(c))) {
            token.kind = Token::Kind::number;
            token.text = number();
        } else if (startsWord(c)) {
            token.kind = Token::Kind::word;
            token.text = word();
        } else if (c == '"') {
            token.kind = Token::Kind::text;
            token.text = text();
        } else {
            token.kind = Token::Kind::symbol;
            token.text = c;
            at_++;
        }
        token.end = at_;
        return token;
    }

    // A word may hold "::" (L2::128B), but a single colon ends a label.
    std::string word() {
        std::size_t begin = at_++;
        while (insideWord(at()) || (at() == ':' && at(1) == ':')) at_ += at() == ':' ? 2 : 1;
        return source_.substr(begin, at_ - begin);
    }

    std::string number() {
        std::size_t begin = at_;
        bool bits = at() == '0' && at(1) != '\0' && std::isalpha(static_cast<u8>(at(1))) && at(1) != 'e' && at(1) != 'E';
        while (std::isalnum(static_cast<u8>(at())) || at() == '.') {
            bool exponent = !bits && (at() == 'e' || at() == 'E');
            at_++;
            if (exponent && (at() == '+' || at() == '-')) at_++;
        }
        return source_.substr(begin, at_ - begin);
    }

    std::string text() {
        std::size_t begin = ++at_;
        while (at() != '"') {
            if (at_ >= source_.size() || at() == '\n') fail("a string that does not end");
            at_ += at() == '\\' ? 2 : 1;
        }
        return source_.substr(begin, at_++ - begin);
    }

    const std::string& source_;
    const std::string& module_;
    std::size_t at_ = 0;
    u32 line_ = 1;
    std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const std::string& source, const std::string& module) { return Lexer(source, module).run(); }

}  // namespace softcuda::ptx
