# Input: none. $new and $old: arrays of the parsed documents (empty where a file is missing or broken).
# Output: {config, complaints}. A key that is wrong keeps its last good value, and all others count.
def hostname_ok: type == "string" and test("\\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\z");
def key_ok: type == "string"
  and test("\\A(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [^\\n\\r]*)?\\z");

($old[0] // {} | if type == "object" then . else {} end) as $last
| ($new | if length == 1 and (.[0] | type == "object") then .[0] else null end) as $doc
| if $doc == null then
    { config: $last, complaints: ["config.json is missing or not a JSON object: the last good copy is used"] }
  else
    ($doc.os | if type == "object" then . else {} end) as $os
    | ($last.os | if type == "object" then . else {} end) as $lastOs
    | {
        config: (
          {}
          + (if $doc | has("hostname") | not then {}
             elif $doc.hostname | hostname_ok then { hostname: $doc.hostname }
             elif $last.hostname then { hostname: $last.hostname } else {} end)
          + (if $doc | has("developmentMode") | not then {}
             elif $doc.developmentMode | type == "boolean" then { developmentMode: $doc.developmentMode }
             elif $last | has("developmentMode") then { developmentMode: $last.developmentMode } else {} end)
          + (if $os | has("sshKeys") | not then
               (if $doc | has("os") and (.os | type != "object") and ($lastOs | has("sshKeys"))
                then { os: { sshKeys: $lastOs.sshKeys } } else {} end)
             elif ($os.sshKeys | type == "array") and ($os.sshKeys == [] or any($os.sshKeys[]; key_ok))
             then { os: { sshKeys: [$os.sshKeys[] | select(key_ok)] } }
             elif $lastOs | has("sshKeys") then { os: { sshKeys: $lastOs.sshKeys } } else {} end)
        ),
        complaints: [
          (if ($doc | has("hostname")) and ($doc.hostname | hostname_ok | not)
           then "hostname: not a host name of small letters, digits and dashes" else empty end),
          (if ($doc | has("developmentMode")) and ($doc.developmentMode | type != "boolean")
           then "developmentMode: neither true nor false" else empty end),
          (if ($doc | has("os")) and ($doc.os | type != "object") then "os: not an object" else empty end),
          (if ($os | has("sshKeys")) and ($os.sshKeys | type != "array") then "os.sshKeys: not a list" else empty end),
          (if $os.sshKeys | type == "array" then
             ($os.sshKeys | to_entries[] | select(.value | key_ok | not) | "os.sshKeys[\(.key)]: not a public key")
           else empty end),
          ($doc | keys[] | select(IN("$schema", "hostname", "developmentMode", "os") | not) | "\(.): unknown key"),
          ($os | keys[] | select(IN("sshKeys") | not) | "os.\(.): unknown key")
        ]
      }
  end
