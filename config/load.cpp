#include "config/load.hpp"

#include <algorithm>
#include <utility>

#include "config/assemble.hpp"
#include "config/schema.hpp"
#include "config/text.hpp"
#include "config/toml_reader.hpp"
#include "config/users_file.hpp"
#include "config/validate.hpp"

namespace tidemark::config {
namespace {

/// The method under which a user of the file can do the most.
AuthMethod method_for_passwords(const AuthSettings& auth) {
  if (auth.rules.empty()) return auth.method;
  const bool md5 = std::any_of(auth.rules.begin(), auth.rules.end(),
                               [](const AuthRule& rule) { return rule.method == AuthMethod::md5; });
  return md5 ? AuthMethod::md5 : AuthMethod::scram_sha_256;
}

/// Reads what the main file names: the only part of loading that looks at other files.
class Companions {
 public:
  Companions(const Document& document, std::string_view file_name, const std::filesystem::path& base_dir,
             const FileSource& files, std::vector<Problem>& problems)
      : document_(document), file_name_(file_name), base_dir_(base_dir), files_(files), problems_(problems) {}

  void read_users_of(Config& config) {
    constexpr std::string_view key = "auth.users_file";
    if (config.auth.users_file.empty()) return;
    config.auth.users_file = base_dir_ / config.auth.users_file;
    const auto text = open(key, config.auth.users_file);
    if (!text) return;
    UsersResult result =
        read_users(*text, config.auth.users_file.string(), method_for_passwords(config.auth));
    config.users = std::move(result.users);
    for (Problem& problem : result.problems) problems_.push_back(std::move(problem));
  }

  void resolve_tls_files_of(Config& config) const {
    for (pools::TlsFiles* files : {&config.listen.tls.files, &config.cluster.server_tls.files}) {
      for (std::string* path : {&files->cert, &files->key, &files->ca, &files->crl}) {
        if (!path->empty()) *path = (base_dir_ / *path).string();
      }
    }
  }

  void read_monitor_password_of(Config& config) {
    if (auto text = read_password("cluster.monitor_password_file", "the monitor user's password"))
      config.cluster.monitor_password = *std::move(text);
    if (auto text = read_password("cluster.discovery.monitor_password_file",
                                  "the password for pg_auto_failover's monitor"))
      config.cluster.discovery.monitor_password = *std::move(text);
  }

  void read_redis_password_of(Config& config) {
    if (config.marks.store != MarkStore::redis) return;
    if (auto text = read_password("marks.redis_password_file", "the password for Redis"))
      config.marks.redis_password = Secret(*std::move(text));
  }

 private:
  void report(Severity severity, std::string_view key, std::string message) {
    const Entry* entry = document_.find(key);
    problems_.push_back({severity, std::string(file_name_), entry == nullptr ? Position{} : entry->value_at,
                         std::move(message)});
  }

  /// From the file that `key` names, if it does; `whose` says what the file is for.
  std::optional<std::string> read_password(std::string_view key, const std::string& whose) {
    const auto* name = document_.get<std::string>(key);
    if (name == nullptr) return std::nullopt;
    const std::filesystem::path path = base_dir_ / *name;
    auto text = open(key, path);
    if (!text) return std::nullopt;
    if (text->ends_with('\n')) text->pop_back();
    if (text->ends_with('\r')) text->pop_back();
    if (text->empty()) {
      report(Severity::error, key, in_quotes(path.string()) + " is empty: it should hold " + whose);
    } else if (has_control_characters(*text)) {
      report(Severity::error, key,
             in_quotes(path.string()) + " holds more than one line: it should hold " + whose + " alone");
    } else {
      return text;
    }
    return std::nullopt;
  }

  std::optional<std::string> open(std::string_view key, const std::filesystem::path& path) {
    FileText file = files_(path);
    if (!file.text) {
      report(Severity::error, key, "cannot read " + in_quotes(path.string()) + ": " + file.error);
    } else if (file.others_may_read) {
      report(Severity::warning, key,
             in_quotes(path.string()) +
                 " holds secrets and everybody may read it: take away the right of others");
    }
    return std::move(file.text);
  }

  const Document& document_;
  std::string_view file_name_;
  const std::filesystem::path& base_dir_;
  const FileSource& files_;
  std::vector<Problem>& problems_;
};

}  // namespace

LoadResult load_text(std::string_view text, std::string_view file_name, const std::filesystem::path& base_dir,
                     const FileSource& files) {
  Reading reading = read_toml(text, file_name, main_schema());
  LoadResult result;
  result.problems = std::move(reading.problems);
  if (!reading.parsed) return result;

  Config config = assemble(reading.document);
  for (Problem& problem : validate(reading.document, config, file_name)) {
    result.problems.push_back(std::move(problem));
  }
  Companions companions(reading.document, file_name, base_dir, files, result.problems);
  // The users file last, so that its problems come after all of this file's.
  companions.resolve_tls_files_of(config);
  companions.read_monitor_password_of(config);
  companions.read_redis_password_of(config);
  companions.read_users_of(config);

  result.document = std::move(reading.document);
  sort_problems(result.problems);
  if (!has_errors(result.problems)) result.config = std::move(config);
  return result;
}

LoadResult load_file(const std::filesystem::path& path) {
  const FileText file = read_disk_file(path);
  if (!file.text) {
    LoadResult result;
    result.problems.push_back({Severity::error, path.string(), {}, "cannot read this file: " + file.error});
    return result;
  }
  return load_text(*file.text, path.string(), path.parent_path());
}

}  // namespace tidemark::config
