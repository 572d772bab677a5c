"""DDDM on tables: columns of any kind, any of them given any others."""
