/** The part of the SPIFFE Workload API for WITs, as a server would have it. */
export const WORKLOAD_API = `
syntax = "proto3";

service SpiffeWorkloadAPI {
  rpc FetchWITSVID(WITSVIDRequest) returns (stream WITSVIDResponse);
  rpc FetchWITBundles(WITBundlesRequest) returns (stream WITBundlesResponse);
}

message WITSVIDRequest { string spiffe_id = 1; }
message WITSVIDResponse { repeated WITSVID svids = 1; }
message WITSVID {
  string spiffe_id = 1;
  string wit_svid = 2;
  string wit_svid_key = 3;
  string hint = 4;
}

message WITBundlesRequest {}
message WITBundlesResponse { map<string, string> bundles = 1; }
`
