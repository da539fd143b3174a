/** The streams of a delta, in the order in which a group has them. */
export const LANE = { ops: 0, lengths: 1, raws: 2, moves: 3, diff: 4, literal: 5, gaps: 6, names: 7, masks: 8, fields: 9, sizes: 10, times: 11, blocks: 12 } as const;
export const LANE_COUNT = 13;
/** Lanes of the columns of headers; before them come those of contents, behind them the blocks. */
export const FIRST_COLUMN = LANE.names;

export const OP = { header: 0, blocks: 1, file: 2, rest: 3, copy: 4, add: 5, raw: 6, skip: 7, pad: 8 } as const;

/** Of each stream's start that the base gives: its end. */
export const PREFIX_BYTES = 1024 * 1024;
/** Window of every stream, as a power of two; literals look further back. */
export const WINDOW_LOG = 21;
export const LITERAL_WINDOW_LOG = 22;
/** All streams of a group together, unpacked. */
export const GROUP_LIMIT_BYTES = 1024 * 1024;
/** A packed stream is hardly longer than it was. */
export const PACKED_LIMIT_BYTES = GROUP_LIMIT_BYTES + 64 * 1024;
