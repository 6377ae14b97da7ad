using System.Threading.Tasks;

namespace ScoutFs.Testing.Model;

/// <summary>A kind of file system that is to survive crashes.</summary>
public interface ICrashSubject
{
    /// <summary>Size of the metadata device in bytes.</summary>
    long MetaBytes { get; }

    /// <summary>Size of the data device in bytes.</summary>
    long DataBytes { get; }

    /// <summary>Page of 4096 bytes of the metadata device that must be written whole; null: none.</summary>
    long? WholeMetaPage { get; }

    /// <summary>Makes an empty file system.</summary>
    Task FormatAsync(CrashWorld world);

    /// <summary>The empty file system as the model has it: the attributes of the root.</summary>
    Task<ModelState> ReadAsync(CrashWorld world);

    /// <summary>Free blocks of data of an unmounted file system.</summary>
    Task<ulong> CountFreeAsync(CrashWorld world);

    /// <summary>Mounts it.</summary>
    Task<IFsUnderTest> MountAsync(CrashWorld world);

    /// <summary>Looks at disks that nobody has mounted, and finds what is wrong with them.</summary>
    /// <returns>What is wrong, or null.</returns>
    Task<string?> CheckAsync(CrashWorld world);
}
