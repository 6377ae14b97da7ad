namespace ScoutFs.Volume.Transactions;

/// <summary>What does not change of a volume while it is mounted.</summary>
/// <param name="Fsid">The volume.</param>
/// <param name="FormatVersion">Format version, 1 or 2.</param>
public sealed record VolumeFacts(ulong Fsid, ulong FormatVersion);
