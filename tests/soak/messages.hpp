#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::soak {

// Frontend messages as bytes (manual, "Message Formats"), appended to `out`.

using Parameters = std::vector<std::optional<std::string>>;

void put_query(std::string& out, std::string_view sql);
void put_parse(std::string& out, std::string_view statement, std::string_view sql);
/// Parameters in text format. `binary_result`: all columns in binary format.
void put_bind(std::string& out, std::string_view portal, std::string_view statement, const Parameters& values,
              bool binary_result = false);
/// `kind`: S or P.
void put_describe(std::string& out, char kind, std::string_view name);
void put_close(std::string& out, char kind, std::string_view name);
/// `rows` 0: all.
void put_execute(std::string& out, std::string_view portal, std::int32_t rows = 0);
void put_sync(std::string& out);
void put_flush(std::string& out);
void put_terminate(std::string& out);
void put_copy_data(std::string& out, std::string_view data);
void put_copy_done(std::string& out);
void put_copy_fail(std::string& out, std::string_view reason);
/// A FunctionCall with two int4 arguments and an int4 result, in binary format.
void put_function_call(std::string& out, std::int32_t function, std::int32_t left, std::int32_t right);

}  // namespace tidemark::soak
