using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Transactions;

/// <summary>What a quota rule is about; on disk, never renumber (format §10.11).</summary>
public enum QuotaOp : byte
{
    /// <summary>Creating an inode.</summary>
    Inode = 0,

    /// <summary>Writing or allocating data.</summary>
    Data = 1,
}

/// <summary>Whether quota rules allow an operation. Port of this layer, implemented by Quota (archive §10.8).</summary>
public interface IQuotaCheck
{
    /// <summary>Checks an operation; with the gate held, before the hold.</summary>
    /// <param name="context">The running operation.</param>
    /// <param name="op">What it does.</param>
    /// <param name="project">Project id that it counts for.</param>
    /// <param name="uid">User.</param>
    /// <param name="gid">Group.</param>
    /// <param name="error">None, QuotaExceeded or Corrupt.</param>
    /// <returns>False: return false from the attempt.</returns>
    bool Check(
        OperationContext context, QuotaOp op, ulong project, uint uid, uint gid, out FsError error);
}
