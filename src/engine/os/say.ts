/** A line for whoever waits, or for the journal. */
export type Say = (line: string) => Promise<void>;
