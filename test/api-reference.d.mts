export declare function describeApi(): ReadonlyMap<string, string>
export declare function staleReports(expected?: ReadonlyMap<string, string>): readonly string[]
