namespace ScoutFs.Volume.Blocks;

/// <summary>Implemented by devices that know, without reading, where they hold nothing but zeros.</summary>
/// <remarks>
/// Image files and memory devices do. Lets whole-device reads skip holes. The answer is a snapshot: a range written
/// meanwhile may be missed. Thread safe.
/// </remarks>
public interface IAllocatedRanges
{
    /// <summary>Finds the next range that may hold something else than zeros.</summary>
    /// <param name="fromBytes">Where to start, 0..SizeBytes, a multiple of 4096.</param>
    /// <param name="startBytes">Start of the range, at least <paramref name="fromBytes"/>, a multiple of 4096.</param>
    /// <param name="endBytes">End of the range, past its start, at most SizeBytes, a multiple of 4096.</param>
    /// <returns>False: everything from there to the end of the device reads as zeros.</returns>
    bool TryFindAllocated(long fromBytes, out long startBytes, out long endBytes);
}
