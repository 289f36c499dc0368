//! The words of Encamp: documents, keys, and the three spellings of a job
